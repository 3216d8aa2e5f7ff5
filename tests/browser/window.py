"""One window of Qt's web engine. For the system's Python, whose PyQt6 a virtual environment does not see."""

import sys

from PyQt6.QtCore import QUrl
from PyQt6.QtWebEngineWidgets import QWebEngineView
from PyQt6.QtWidgets import QApplication

application = QApplication(sys.argv)
view = QWebEngineView()
view.setUrl(QUrl("about:blank"))
view.show()
sys.exit(application.exec())
