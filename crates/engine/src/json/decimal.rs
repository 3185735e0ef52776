//! Decimal numbers of any length, by their digits.

use std::cmp::Ordering;

/// A decimal number: digits without zeros at either end, and where its point stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Its digits; none of zero.
    digits: String,
    /// Where the point stands, counted from before the first digit: 0.5 has 0, 5 has 1.
    point: i64,
}

impl Decimal {
    /// Reads a number as JSON writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (rest, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let all_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) || !fraction.is_none_or(all_digits) {
            return None;
        }
        let exponent = match exponent {
            // An exponent beyond any number that is meant is as good as the largest.
            Some(text) => all_digits(text.strip_prefix(['+', '-']).unwrap_or(text))
                .then(|| text.parse().unwrap_or(if text.starts_with('-') { i64::MIN / 4 } else { i64::MAX / 4 }))?,
            None => 0,
        };
        let digits = format!("{whole}{}", fraction.unwrap_or_default());
        let leading = digits.bytes().take_while(|byte| *byte == b'0').count();
        let digits = digits.get(leading..).unwrap_or_default().trim_end_matches('0').to_owned();
        let point = match digits.is_empty() {
            true => 0,
            false => (whole.len() as i64 - leading as i64).saturating_add(exponent),
        };
        Some(Self { negative: negative && !digits.is_empty(), digits, point })
    }

    /// Whether it is less than zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The integer that it is, within 64 bits.
    pub fn integer(&self) -> Option<i64> {
        let zeros = usize::try_from(self.point).ok()?.checked_sub(self.digits.len()).filter(|zeros| *zeros < 20)?;
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}0{}{}", self.digits, "0".repeat(zeros)).parse().ok()
    }

    /// As Haskell's `Scientific` shows it: `40000.0`, `2.147483648e9`.
    pub fn scientific(&self) -> String {
        let sign = if self.is_negative() { "-" } else { "" };
        let (digits, point) = (self.digits.as_str(), self.point);
        if digits.is_empty() {
            return "0.0".to_owned();
        }
        if !(0..=7).contains(&point) {
            let (first, rest) = digits.split_at(1);
            return format!("{sign}{first}.{}e{}", if rest.is_empty() { "0" } else { rest }, point.saturating_sub(1));
        }
        let point = usize::try_from(point).unwrap_or_default();
        let whole: String = digits.chars().chain(std::iter::repeat('0')).take(point).collect();
        let fraction = digits.get(point..).filter(|fraction| !fraction.is_empty()).unwrap_or("0");
        format!("{sign}{}.{fraction}", if whole.is_empty() { "0" } else { &whole })
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (!number.digits.is_empty(), number.point);
        match (self.negative, other.negative) {
            (false, false) => size(self).cmp(&size(other)).then_with(|| self.digits.cmp(&other.digits)),
            (true, true) => size(other).cmp(&size(self)).then_with(|| other.digits.cmp(&self.digits)),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_equal_however_they_are_written() {
        for (left, right) in [("1", "1.0"), ("100", "1e2"), ("0.5", "5E-1"), ("0", "0.00e7"), ("-12.30", "-123e-1")] {
            assert_eq!(Decimal::parse(left), Decimal::parse(right), "{left} {right}");
        }
        assert_ne!(Decimal::parse("18446744073709551616"), Decimal::parse("18446744073709552000"));
        for text in ["", "-", "01", "1.", ".5", "1e", "1e+", "+1", "0x1", "1 ", "NaN", "1e5x"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_by_what_they_are() {
        let ordered =
            ["-1e30", "-12", "-1.5", "-0.1", "0", "0.09", "0.1", "1", "1.25", "9", "10", "18446744073709551616"];
        for pair in ordered.windows(2) {
            assert!(Decimal::parse(pair[0]) < Decimal::parse(pair[1]), "{pair:?}");
        }
        assert_eq!(Decimal::parse("-0"), Decimal::parse("0"));
    }

    #[test]
    fn whole_numbers_of_64_bits_are_integers() {
        let integer = |text: &str| Decimal::parse(text).unwrap().integer();
        for (text, value) in [("0", 0), ("1.0", 1), ("-12e2", -1200), ("9223372036854775807", i64::MAX)] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        assert_eq!(integer("-9223372036854775808"), Some(i64::MIN));
        for text in ["0.5", "1.5", "9223372036854775808", "1e400", "1e-400", "1e99999999999999999999"] {
            assert_eq!(integer(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_shown_as_haskell_shows_them() {
        for (text, shown) in [
            ("1.5", "1.5"),
            ("40000", "40000.0"),
            ("2147483648", "2.147483648e9"),
            ("9223372036854775808", "9.223372036854775808e18"),
            ("-0.05", "-5.0e-2"),
            ("0.5", "0.5"),
            ("9999999", "9999999.0"),
            ("10000000", "1.0e7"),
            ("0", "0.0"),
        ] {
            assert_eq!(Decimal::parse(text).unwrap().scientific(), shown);
        }
    }
}
