"""Tables: CSV, groups, joins, dates, pivots."""

import io

import pandas as pd

text = "day,city,sales\n2024-01-01,Oslo,3\n2024-01-01,Rome,5\n2024-01-02,Oslo,7\n2024-02-03,Rome,11\n"
table = pd.read_csv(io.StringIO(text), parse_dates=["day"])
assert table.groupby("city")["sales"].sum().to_dict() == {"Oslo": 10, "Rome": 16}
joined = table.merge(pd.DataFrame({"city": ["Oslo", "Rome"], "country": ["NO", "IT"]}), on="city")
assert list(joined.country) == ["NO", "IT", "NO", "IT"]
monthly = table.set_index("day").resample("MS")["sales"].sum()
assert list(monthly) == [15, 11]
pivot = table.pivot_table(index="day", columns="city", values="sales", fill_value=0)
assert pivot.shape == (3, 2)
assert table.to_json(orient="records").startswith('[{"day":')
assert table["sales"].rolling(2).mean().iloc[-1] == 9
assert table.assign(zone=table.day.dt.tz_localize("Europe/Oslo")).zone.iloc[0].utcoffset().seconds == 3600
assert "Oslo" in table.to_string()
