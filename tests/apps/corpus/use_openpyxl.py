"""A workbook with formulas, styles and a chart, written and read back."""

import io

from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Font

book = Workbook()
sheet = book.active
for row in (["n", "square"], *([n, n * n] for n in range(5))):
    sheet.append(row)
sheet["A1"].font = Font(bold=True)
sheet["C1"] = "=SUM(B2:B6)"
chart = BarChart()
chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=6), titles_from_data=True)
sheet.add_chart(chart, "E2")
file = io.BytesIO()
book.save(file)
again = load_workbook(io.BytesIO(file.getvalue())).active
assert again["B6"].value == 16 and again["C1"].value == "=SUM(B2:B6)" and again["A1"].font.b
