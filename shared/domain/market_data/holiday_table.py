"""The reviewed table of holidays: which rule of hours applies to which day, and what each rule says, 2018 to 2028."""

# One rule a row, in Chicago's time: "." regular hours, "-" closed all day, "12:00" closes early, "08:30-" opens on the
# day itself instead of on the evening before, "08:30-12:05" both. Sources and doubts: venue.md section 8.5.
RULES = """
name          equity metals energy currency rates crypto grains      livestock
closed        -      -      -      -        -     -      -           -
noon          12:00  12:00  12:00  12:00    12:00 12:00  -           -
halt          12:00  13:30  13:30  .        12:00 .      -           -
report_2021   08:15  -      -      10:15    10:15 08:15  -           -
report        08:15  -      -      10:15    10:15 10:15  -           -
july_eve_2018 12:15  .      .      .        .     12:15  12:05       12:05
july_eve_2020 .      .      .      .        .     .      12:05       12:05
july_eve_2023 12:15  .      .      .        .     12:15  .           .
july_eve      12:15  .      .      .        .     .      .           .
friday_2018   12:15  12:45  12:45  12:15    12:15 12:15  08:30-12:05 12:05
friday_2021   12:15  12:45  12:45  12:15    12:15 12:45  08:30-12:05 12:05
friday        12:15  13:45  13:45  13:45    12:15 13:45  08:30-12:05 12:05
eve_2018      12:15  12:45  12:45  12:15    12:15 12:15  12:05       12:05
eve_2024      12:15  12:45  12:45  12:15    12:15 12:45  12:05       12:05
eve           12:15  12:45  12:45  12:45    12:15 12:45  12:05       12:05
mourning_2018 08:30  .      .      .        -     .      .           .
mourning_2025 08:30  .      .      .        12:15 .      12:15       12:15
reopening     .      .      .      .        .     .      08:30-      .
"""
# A star marks a day for which the exchange has not published its hours yet: they are those of the newest such day.
DAYS = """
2018-01-01 closed        New Year
2018-01-02 reopening     day after New Year
2018-01-15 noon          Martin Luther King Day
2018-02-19 noon          Presidents' Day
2018-03-30 closed        Good Friday
2018-05-28 noon          Memorial Day
2018-07-03 july_eve_2018 eve of Independence Day
2018-07-04 noon          Independence Day
2018-07-05 reopening     day after Independence Day
2018-09-03 noon          Labor Day
2018-11-22 noon          Thanksgiving
2018-11-23 friday_2018   day after Thanksgiving
2018-12-05 mourning_2018 day of mourning
2018-12-24 eve_2018      Christmas Eve
2018-12-25 closed        Christmas
2018-12-26 reopening     day after Christmas
2019-01-01 closed        New Year
2019-01-02 reopening     day after New Year
2019-01-21 noon          Martin Luther King Day
2019-02-18 noon          Presidents' Day
2019-04-19 closed        Good Friday
2019-05-27 noon          Memorial Day
2019-07-03 july_eve_2018 eve of Independence Day
2019-07-04 noon          Independence Day
2019-07-05 reopening     day after Independence Day
2019-09-02 noon          Labor Day
2019-11-28 noon          Thanksgiving
2019-11-29 friday_2018   day after Thanksgiving
2019-12-24 eve_2018      Christmas Eve
2019-12-25 closed        Christmas
2019-12-26 reopening     day after Christmas
2020-01-01 closed        New Year
2020-01-02 reopening     day after New Year
2020-01-20 noon          Martin Luther King Day
2020-02-17 noon          Presidents' Day
2020-04-10 closed        Good Friday
2020-05-25 noon          Memorial Day
2020-07-02 july_eve_2020 eve of Independence Day, observed
2020-07-03 noon          Independence Day, observed
2020-09-07 noon          Labor Day
2020-11-26 noon          Thanksgiving
2020-11-27 friday_2018   day after Thanksgiving
2020-12-24 eve_2018      Christmas Eve
2020-12-25 closed        Christmas
2021-01-01 closed        New Year
2021-01-18 noon          Martin Luther King Day
2021-02-15 noon          Presidents' Day
2021-04-02 report_2021   Good Friday, with an employment report
2021-05-31 noon          Memorial Day
2021-07-05 noon          Independence Day, observed
2021-07-06 reopening     day after Independence Day
2021-09-06 noon          Labor Day
2021-11-25 noon          Thanksgiving
2021-11-26 friday_2021   day after Thanksgiving
2021-12-24 closed        Christmas, observed
2022-01-17 halt          Martin Luther King Day
2022-02-21 halt          Presidents' Day
2022-04-15 closed        Good Friday
2022-05-30 halt          Memorial Day
2022-06-20 halt          Juneteenth, observed
2022-07-04 halt          Independence Day
2022-07-05 reopening     day after Independence Day
2022-09-05 halt          Labor Day
2022-11-24 halt          Thanksgiving
2022-11-25 friday_2021   day after Thanksgiving
2022-12-26 closed        Christmas, observed
2022-12-27 reopening     day after Christmas
2023-01-02 closed        New Year, observed
2023-01-03 reopening     day after New Year
2023-01-16 halt          Martin Luther King Day
2023-02-20 halt          Presidents' Day
2023-04-07 report        Good Friday, with an employment report
2023-05-29 halt          Memorial Day
2023-06-19 halt          Juneteenth
2023-07-03 july_eve_2023 eve of Independence Day
2023-07-04 halt          Independence Day
2023-07-05 reopening     day after Independence Day
2023-09-04 halt          Labor Day
2023-11-23 halt          Thanksgiving
2023-11-24 friday_2021   day after Thanksgiving
2023-12-25 closed        Christmas
2023-12-26 reopening     day after Christmas
2024-01-01 closed        New Year
2024-01-02 reopening     day after New Year
2024-01-15 halt          Martin Luther King Day
2024-02-19 halt          Presidents' Day
2024-03-29 closed        Good Friday
2024-05-27 halt          Memorial Day
2024-06-19 halt          Juneteenth
2024-07-03 july_eve      eve of Independence Day
2024-07-04 halt          Independence Day
2024-07-05 reopening     day after Independence Day
2024-09-02 halt          Labor Day
2024-11-28 halt          Thanksgiving
2024-11-29 friday_2021   day after Thanksgiving
2024-12-24 eve_2024      Christmas Eve
2024-12-25 closed        Christmas
2024-12-26 reopening     day after Christmas
2025-01-01 closed        New Year
2025-01-02 reopening     day after New Year
2025-01-09 mourning_2025 day of mourning
2025-01-20 halt          Martin Luther King Day
2025-02-17 halt          Presidents' Day
2025-04-18 closed        Good Friday
2025-05-26 halt          Memorial Day
2025-06-19 halt          Juneteenth
2025-07-03 july_eve      eve of Independence Day
2025-07-04 noon          Independence Day
2025-09-01 halt          Labor Day
2025-11-27 halt          Thanksgiving
2025-11-28 friday        day after Thanksgiving
2025-12-24 eve           Christmas Eve
2025-12-25 closed        Christmas
2025-12-26 reopening     day after Christmas
2026-01-01 closed        New Year
2026-01-02 reopening     day after New Year
2026-01-19 halt          Martin Luther King Day
2026-02-16 halt          Presidents' Day
2026-04-03 report        Good Friday, with an employment report
2026-05-25 halt          Memorial Day
2026-06-19 noon          Juneteenth
2026-07-03 noon          Independence Day, observed
2026-09-07 halt          Labor Day
2026-11-26 halt          Thanksgiving
2026-11-27 friday        day after Thanksgiving
2026-12-24 eve           Christmas Eve
2026-12-25 closed        Christmas
2027-01-01 closed        New Year
2027-01-18 halt          Martin Luther King Day *
2027-02-15 halt          Presidents' Day *
2027-03-26 closed        Good Friday *
2027-05-31 halt          Memorial Day *
2027-06-18 noon          Juneteenth, observed
2027-07-05 halt          Independence Day, observed *
2027-07-06 reopening     day after Independence Day *
2027-09-06 halt          Labor Day *
2027-11-25 halt          Thanksgiving *
2027-11-26 friday        day after Thanksgiving *
2027-12-24 closed        Christmas, observed *
2028-01-17 halt          Martin Luther King Day *
2028-02-21 halt          Presidents' Day *
2028-04-14 closed        Good Friday *
2028-05-29 halt          Memorial Day *
2028-06-19 halt          Juneteenth *
2028-07-03 july_eve      eve of Independence Day *
2028-07-04 halt          Independence Day *
2028-07-05 reopening     day after Independence Day *
2028-09-04 halt          Labor Day *
2028-11-23 halt          Thanksgiving *
2028-11-24 friday        day after Thanksgiving *
2028-12-25 closed        Christmas *
2028-12-26 reopening     day after Christmas *
"""
