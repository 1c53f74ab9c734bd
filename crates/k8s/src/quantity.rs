//! `resource.Quantity`: the numbers of CPU and memory requests. Source: k8s.io/apimachinery/pkg/api/resource.

mod canonical;

pub use canonical::{QuantityError, canonical};

/// Reads a quantity as a whole number of thousandths, rounded up: `250m` is 250, `1Gi` is 1,073,741,824,000.
pub fn parse_milli(text: &str) -> Option<i128> {
    let (number, suffix) = split(text)?;
    let (numerator, denominator) = scale(suffix)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.trim_start_matches(['+', '-']).is_empty() && decimals.is_empty() || decimals.len() > 30 || whole.len() > 30 {
        return None;
    }
    let negative = whole.starts_with('-');
    let digits: String = whole.trim_start_matches(['+', '-']).chars().chain(decimals.chars()).collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    let up = value.checked_mul(numerator)?.checked_mul(1_000)?;
    let down = 10i128.checked_pow(u32::try_from(decimals.len()).ok()?)?.checked_mul(denominator)?;
    let rounded = up / down + i128::from(up % down != 0);
    Some(if negative { -rounded } else { rounded })
}

/// Reads a quantity as a whole number, rounded up: `1Ki` is 1024, `500m` is 1.
pub fn parse(text: &str) -> Option<i128> {
    let milli = parse_milli(text)?;
    Some(milli.div_euclid(1_000) + i128::from(milli.rem_euclid(1_000) != 0))
}

/// Whether a quantity of CPU, memory or a count has the right form.
pub fn is_valid(text: &str) -> bool {
    parse_milli(text).is_some()
}

/// Writes thousandths in the shortest decimal form: `250m`, `2`.
pub fn show_milli(milli: i128) -> String {
    if milli % 1_000 == 0 { (milli / 1_000).to_string() } else { format!("{milli}m") }
}

/// Writes a number of bytes with the largest binary suffix that keeps it whole: `64Mi`.
pub fn show_binary(bytes: i128) -> String {
    let (mut value, mut suffix) = (bytes, "");
    for next in ["Ki", "Mi", "Gi", "Ti", "Pi"] {
        if value == 0 || value % 1_024 != 0 {
            break;
        }
        (value, suffix) = (value / 1_024, next);
    }
    format!("{value}{suffix}")
}

fn split(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    (!number.is_empty() && !number[1..].contains(['+', '-'])).then_some((number, suffix))
}

fn scale(suffix: &str) -> Option<(i128, i128)> {
    const DECIMAL: [(&str, u32); 6] = [("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    Some(match suffix {
        "" => (1, 1),
        "m" => (1, 1_000),
        "u" => (1, 1_000_000),
        "n" => (1, 1_000_000_000),
        _ => {
            if let Some(&(_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
                (10i128.pow(power), 1)
            } else if let Some(power) = BINARY.iter().position(|name| *name == suffix) {
                (1_024i128.pow(u32::try_from(power).ok()? + 1), 1)
            } else {
                let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                let power = 10i128.checked_pow(exponent.unsigned_abs())?;
                if exponent >= 0 { (power, 1) } else { (1, power) }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_suffix() {
        for (text, milli) in [
            ("250m", 250),
            ("2", 2_000),
            ("0.1", 100),
            ("1Ki", 1_024_000),
            ("1k", 1_000_000),
            ("1e3", 1_000_000),
            ("1E", 10i128.pow(21)),
            ("100n", 1),
            ("-1", -1_000),
        ] {
            assert_eq!(parse_milli(text), Some(milli), "{text}");
        }
        for wrong in ["", "m", "1.2.3", "1Q", "--1", "1 Gi", "Gi", "."] {
            assert_eq!(parse_milli(wrong), None, "{wrong}");
        }
        assert_eq!(parse("500m"), Some(1));
    }

    #[test]
    fn writes_the_short_form() {
        assert_eq!(show_milli(1_500), "1500m");
        assert_eq!(show_milli(2_000), "2");
        assert_eq!(show_binary(64 << 20), "64Mi");
        assert_eq!(show_binary(1_000), "1000");
    }
}
