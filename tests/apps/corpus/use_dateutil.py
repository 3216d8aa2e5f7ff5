"""Parsing dates, recurring ones, relative steps, time zones."""

import datetime

from dateutil import easter, parser, relativedelta, rrule, tz

day = parser.parse("3rd of May 2024 at 17:30 UTC")
assert day == datetime.datetime(2024, 5, 3, 17, 30, tzinfo=tz.UTC)
assert day + relativedelta.relativedelta(months=+1, day=31) == datetime.datetime(2024, 6, 30, 17, 30, tzinfo=tz.UTC)
assert easter.easter(2024) == datetime.date(2024, 3, 31)
days = list(rrule.rrule(rrule.MONTHLY, count=3, byweekday=rrule.FR(-1), dtstart=datetime.datetime(2024, 1, 1)))
assert [d.day for d in days] == [26, 23, 29]
assert tz.gettz("Europe/Oslo").utcoffset(datetime.datetime(2024, 7, 1)) == datetime.timedelta(hours=2)
