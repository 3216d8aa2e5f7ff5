"""Data frames: lazy queries, groups, joins, CSV and JSON."""

import io

import polars as pl

table = pl.read_csv(io.StringIO("city,sales\nOslo,3\nRome,5\nOslo,7\n"))
sums = table.lazy().group_by("city").agg(pl.col("sales").sum()).sort("city").collect()
assert sums.to_dict(as_series=False) == {"city": ["Oslo", "Rome"], "sales": [10, 5]}
joined = table.join(pl.DataFrame({"city": ["Oslo"], "country": ["NO"]}), on="city", how="left")
assert joined["country"].null_count() == 1
assert table.filter(pl.col("sales") > 4).height == 2
assert "Oslo" in table.write_json()
