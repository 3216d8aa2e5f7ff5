"""A pipeline with scaling and a classifier, a random forest, clusters, a score by cross validation."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

x, y = load_iris(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(x, y, random_state=1)
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train_x, train_y)
assert model.score(test_x, test_y) > 0.9
assert RandomForestClassifier(10, random_state=1).fit(train_x, train_y).score(test_x, test_y) > 0.9
assert cross_val_score(model, x, y, cv=3).mean() > 0.9
assert len(set(KMeans(3, n_init=2, random_state=1).fit(x).labels_)) == 3
assert np.isfinite(model.predict_proba(test_x)).all()
