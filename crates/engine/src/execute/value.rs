//! Values of the wire's binary format as JSON, in PostgreSQL's own spelling (`to_json`).

use super::wire::Malformed;

type Result<T> = std::result::Result<T, Malformed>;

/// Days from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH: i64 = 10_957;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
const HEX: &[u8; 16] = b"0123456789abcdef";

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| Malformed)
}

/// Writes a value of a type that the engine knows. With `stringify`, numbers that JavaScript would round are strings.
pub fn write(out: &mut Vec<u8>, oid: u32, bytes: &[u8], stringify: bool) -> Result<()> {
    match oid {
        16 => out.extend_from_slice(if bytes == [0] { b"false" } else { b"true" }),
        21 => integer(out, i64::from(i16::from_be_bytes(array(bytes)?))),
        23 => integer(out, i64::from(i32::from_be_bytes(array(bytes)?))),
        26 => integer(out, i64::from(u32::from_be_bytes(array(bytes)?))),
        20 => quoted(out, stringify, |out| {
            integer(out, i64::from_be_bytes(array(bytes)?));
            Ok(())
        })?,
        700 => {
            let value = f32::from_be_bytes(array(bytes)?);
            float(out, &format!("{value:e}"), value.is_finite(), f64::from(value), 6, false);
        }
        701 => {
            let value = f64::from_be_bytes(array(bytes)?);
            float(out, &format!("{value:e}"), value.is_finite(), value, 15, stringify);
        }
        1700 => numeric(out, bytes, stringify)?,
        114 => out.extend_from_slice(bytes),
        // One byte of version, then text.
        3802 => out.extend_from_slice(bytes.get(1..).ok_or(Malformed)?),
        2950 => uuid(out, bytes)?,
        1184 => timestamp(out, i64::from_be_bytes(array(bytes)?), "+00:00"),
        1114 => timestamp(out, i64::from_be_bytes(array(bytes)?), ""),
        1082 => date(out, i32::from_be_bytes(array(bytes)?)),
        1083 => {
            out.push(b'"');
            time(out, i64::from_be_bytes(array(bytes)?));
            out.push(b'"');
        }
        17 => {
            out.extend_from_slice(b"\"\\\\x");
            for byte in bytes {
                hex(out, *byte);
            }
            out.push(b'"');
        }
        _ => string(out, bytes),
    }
    Ok(())
}

fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn quoted(out: &mut Vec<u8>, quotes: bool, inner: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> Result<()> {
    if quotes {
        out.push(b'"');
    }
    inner(out)?;
    if quotes {
        out.push(b'"');
    }
    Ok(())
}

/// Whether a byte of a string needs an escape.
fn special(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

/// A string with the escapes that JSON needs.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    // Nearly every string is plain, and looking at all of it without a branch is done many bytes at a time.
    if !bytes.iter().fold(false, |found, &byte| found | special(byte)) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut start = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if !special(byte) {
            continue;
        }
        out.extend_from_slice(bytes.get(start..index).unwrap_or_default());
        start = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            other => {
                out.extend_from_slice(b"\\u00");
                hex(out, other);
            }
        }
    }
    out.extend_from_slice(bytes.get(start..).unwrap_or_default());
    out.push(b'"');
}

fn hex(out: &mut Vec<u8>, byte: u8) {
    out.extend([byte >> 4, byte & 15].map(|digit| HEX[usize::from(digit)]));
}

fn uuid(out: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    let bytes: [u8; 16] = array(bytes)?;
    let mut text = [b'"'; 38];
    let mut place = 1;
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text[place] = b'-';
            place += 1;
        }
        text[place] = HEX[usize::from(byte >> 4)];
        text[place + 1] = HEX[usize::from(byte & 15)];
        place += 2;
    }
    out.extend_from_slice(&text);
    Ok(())
}

/// A float as PostgreSQL prints it: shortest digits, with an exponent from `1e<fixed>` and below `1e-4`.
fn float(out: &mut Vec<u8>, shortest: &str, finite: bool, value: f64, fixed: i32, stringify: bool) {
    if !finite {
        let text = if value.is_nan() {
            "\"NaN\""
        } else if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        };
        out.extend_from_slice(text.as_bytes());
        return;
    }
    if stringify {
        out.push(b'"');
    }
    let (digits, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..fixed).contains(&exponent) {
        let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("-", rest));
        out.extend_from_slice(sign.as_bytes());
        let plain: Vec<u8> = digits.bytes().filter(|byte| *byte != b'.').collect();
        if exponent < 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
            out.extend_from_slice(&plain);
        } else {
            let whole = exponent as usize + 1;
            for place in 0..whole.max(plain.len()) {
                if place == whole {
                    out.push(b'.');
                }
                out.push(plain.get(place).copied().unwrap_or(b'0'));
            }
        }
    } else {
        out.extend_from_slice(digits.as_bytes());
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        integer(out, i64::from(exponent.abs()));
    }
    if stringify {
        out.push(b'"');
    }
}

fn numeric(out: &mut Vec<u8>, bytes: &[u8], stringify: bool) -> Result<()> {
    let word = |index: usize| -> Result<i16> {
        let at = index * 2;
        Ok(i16::from_be_bytes(array(bytes.get(at..at + 2).ok_or(Malformed)?)?))
    };
    let (count, weight, sign, scale) = (word(0)? as usize, i32::from(word(1)?), word(2)? as u16, word(3)? as usize);
    match sign {
        0xC000 => {
            out.extend_from_slice(b"\"NaN\"");
            return Ok(());
        }
        0xD000 => {
            out.extend_from_slice(b"\"Infinity\"");
            return Ok(());
        }
        0xF000 => {
            out.extend_from_slice(b"\"-Infinity\"");
            return Ok(());
        }
        _ => {}
    }
    quoted(out, stringify, |out| {
        if sign == 0x4000 {
            out.push(b'-');
        }
        // Groups of four decimal digits; `weight` is the power of 10,000 of the first.
        let group = |power: i32| -> Result<i16> {
            let index = weight - power;
            match usize::try_from(index) {
                Ok(index) if index < count => word(4 + index),
                _ => Ok(0),
            }
        };
        if weight < 0 {
            out.push(b'0');
        }
        for power in (0..=weight.max(-1)).rev() {
            let value = group(power)?;
            match power == weight {
                true => integer(out, i64::from(value)),
                false => four(out, value),
            }
        }
        if scale > 0 {
            out.push(b'.');
            let mut digits = Vec::with_capacity(scale + 4);
            let mut power = -1;
            while digits.len() < scale {
                four(&mut digits, group(power)?);
                power -= 1;
            }
            out.extend_from_slice(digits.get(..scale).unwrap_or_default());
        }
        Ok(())
    })
}

fn four(out: &mut Vec<u8>, value: i16) {
    for divisor in [1000, 100, 10, 1] {
        out.push(b'0' + (value / divisor % 10) as u8);
    }
}

fn two(out: &mut Vec<u8>, value: i64) {
    out.push(b'0' + (value / 10 % 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

/// A date of the proleptic Gregorian calendar from days since 1970; true when it is before our era.
fn calendar(out: &mut Vec<u8>, days: i64) -> bool {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let before = year <= 0;
    let year = if before { 1 - year } else { year };
    if year < 10_000 {
        four(out, year as i16);
    } else {
        integer(out, year);
    }
    out.push(b'-');
    two(out, month);
    out.push(b'-');
    two(out, day);
    before
}

fn time(out: &mut Vec<u8>, microseconds: i64) {
    let (seconds, fraction) = (microseconds / 1_000_000, microseconds % 1_000_000);
    two(out, seconds / 3600);
    out.push(b':');
    two(out, seconds / 60 % 60);
    out.push(b':');
    two(out, seconds % 60);
    if fraction != 0 {
        out.push(b'.');
        let (mut rest, mut place) = (fraction, 100_000);
        while rest > 0 {
            out.push(b'0' + (rest / place) as u8);
            rest %= place;
            place /= 10;
        }
    }
}

fn infinite(out: &mut Vec<u8>, least: bool) {
    out.extend_from_slice(if least { b"\"-infinity\"" } else { b"\"infinity\"" });
}

fn timestamp(out: &mut Vec<u8>, microseconds: i64, zone: &str) {
    if matches!(microseconds, i64::MIN | i64::MAX) {
        return infinite(out, microseconds == i64::MIN);
    }
    out.push(b'"');
    let before = calendar(out, microseconds.div_euclid(DAY) + EPOCH);
    out.push(b'T');
    time(out, microseconds.rem_euclid(DAY));
    out.extend_from_slice(zone.as_bytes());
    if before {
        out.extend_from_slice(b" BC");
    }
    out.push(b'"');
}

fn date(out: &mut Vec<u8>, days: i32) {
    if matches!(days, i32::MIN | i32::MAX) {
        return infinite(out, days == i32::MIN);
    }
    out.push(b'"');
    if calendar(out, i64::from(days) + EPOCH) {
        out.extend_from_slice(b" BC");
    }
    out.push(b'"');
}
