//! What Java answers; the golden vectors hold many more.

use super::*;

/// 2023-11-14T22:13:20.123Z.
const NOW: i64 = 1_700_000_000_123;

#[test]
fn dates_are_written() {
    let check = |pattern: &str, ms: i64, expected: &str| {
        assert_eq!(
            DateFormat::new(pattern, NOW).unwrap().format(ms),
            expected,
            "{pattern}"
        );
    };
    check(
        "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        NOW,
        "2023-11-14T22:13:20.123Z",
    );
    check("EEEE, MMMM d, h:mm a z", NOW, "Tue, Nov 14, 10:13 PM UTC");
    check("w W F u Y D", NOW, "46 3 2 2 2023 318");
    check("w Y", 1_672_531_199_007, "53 2022");
    check("w Y", 1_672_531_200_000, "1 2023");
    check("w Y", 1_703_980_800_000, "1 2024");
    check("yyyyMMdd", -62_167_219_200_001, "00010102");
    check("G yyyy-MM-dd", -62_135_769_600_001, "BCE 0001-12-31");
    check("yyyy-MM-dd", -12_219_292_800_000, "1582-10-15");
    check("yyyy-MM-dd", -12_219_292_800_001, "1582-10-04");
    check("yyyy-MM-dd", i64::MAX, "292278994-08-17");
    check("yyyy-MM-dd G", i64::MIN, "292269055-12-02 BCE");
}

#[test]
fn text_is_read_leniently() {
    let check = |pattern: &str, text: &str, expected: Option<i64>| {
        assert_eq!(
            DateFormat::new(pattern, NOW).unwrap().parse(text),
            expected,
            "{pattern} {text}"
        );
    };
    check(
        "yyyy-MM-dd HH:mm:ss.SSS",
        "2023-13-45 25:61:61.1",
        Some(1_707_962_521_001),
    );
    check(
        "yyyy-MM-dd HH:mm:ss.SSS",
        "2023-11-14 22:13:20.123 more",
        Some(NOW),
    );
    check("yyyy-MM-dd", " 2023-2-3", Some(1_675_382_400_000));
    check("yyyyMMdd", "20231114", Some(1_699_920_000_000));
    check("yyyyMMdd", "2023111", Some(1_698_796_800_000));
    check("yyyyMMdd", "20231", None);
    check("dd/MM/yy", "14/11/23", Some(1_699_920_000_000));
    check("yy", "99", Some(915_148_800_000));
    // 14 November 1943 is 80 years before: the first of January lies before that, so it is 2043.
    check("yy", "43", Some(2_303_683_200_000));
    check("yy", "44", Some(-820_540_800_000));
    check("s.SSS", "1.123456", Some(124_456));
    check("hh a", "12 PM", Some(43_200_000));
    check("hh a", "12 am", Some(0));
    check("MMM d yyyy", "nov 3 2023", Some(1_698_969_600_000));
    check(
        "yyyy-MM-dd z",
        "2023-01-01 GMT+01:00",
        Some(1_672_527_600_000),
    );
    check(
        "yyyy-MM-dd'T'HH:mm:ssZ",
        "2023-11-14T22:13:20-0530",
        Some(1_700_019_800_000),
    );
    check("XXX", "+0530", None);
    check("X", "Z", Some(0));
    check("yyyy DDD", "2023 318", Some(1_699_920_000_000));
    check("YYYY ww u", "2023 46 2", Some(1_699_920_000_000));
    check("yyyy MM W E", "2023 11 3 Tue", Some(1_699_920_000_000));
    check("yyyy MM F E", "2023 11 2 Tue", Some(1_699_920_000_000));
    check("yyyy MM F E", "2023 11 -1 Tue", Some(1_701_129_600_000));
    check("yyyy-MM-dd", "1582-10-04", Some(-12_219_379_200_000));
    check("yyyy-MM-dd", "garbage", None);
    check("yyyy-MM-dd", "", None);
    check("yyyy", "99999999999999999999", None);
}

#[test]
fn what_is_no_pattern_is_refused() {
    for pattern in ["yyyy-MM-ddTHH", "'open", "XXXX", "b"] {
        assert!(DateFormat::new(pattern, NOW).is_err(), "{pattern}");
    }
    assert!(DateFormat::new("'abc'''''", NOW).is_ok());
    assert!(DateFormat::new("", NOW).unwrap().format(0).is_empty());
}

mod any {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_panics(pattern in "[GyMdkHmsSEDFwWahKzZYuXL':. 0-9-]{0,24}", text in "\\PC{0,40}", ms in any::<i64>()) {
            if let Ok(format) = DateFormat::new(&pattern, NOW) {
                let written = format.format(ms);
                let _any = format.parse(&written);
                let _any = format.parse(&text);
            }
        }

        #[test]
        fn what_is_written_is_read_back(ms in -60_000_000_000_000_i64..250_000_000_000_000) {
            let format = DateFormat::new("yyyy-MM-dd HH:mm:ss.SSS", NOW).unwrap();
            prop_assert_eq!(format.parse(&format.format(ms)), Some(ms));
            let by_week = DateFormat::new("YYYY-ww-u HH:mm:ss.SSS", NOW).unwrap();
            // In the year of the change of calendars Java counts weeks in a way of its own.
            if !(-12_240_000_000_000..-12_100_000_000_000).contains(&ms) {
                prop_assert_eq!(by_week.parse(&by_week.format(ms)), Some(ms));
            }
        }
    }
}
