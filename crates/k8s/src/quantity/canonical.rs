//! The canonical text of a quantity, as the API server writes every quantity back. Source: apimachinery `pkg/api/resource`.

/// Why a text is no quantity, in the words of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The form is wrong.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number is too large.
    #[error("unable to parse numeric part of quantity")]
    Number,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Decimal,
    Binary,
    Exponent,
}

const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const NANO: i128 = 1_000_000_000;

/// The canonical form: `0.5` is `500m`, `1024Mi` is `1Gi`, `1.5Gi` is `1536Mi`.
pub fn canonical(text: &str) -> Result<String, QuantityError> {
    if text.len() > 64 {
        return Err(QuantityError::Format);
    }
    let parts = Parts::split(text)?;
    let (exponent, format) = suffix(parts.suffix)?;
    let nanos = parts.nanos(exponent, format)?;
    if parts.is_kept(exponent, format) {
        return Ok(text.to_owned());
    }
    // Small or fractional numbers of bytes are shown in decimal, so that nothing is rounded.
    let whole = nanos % NANO == 0 && nanos.unsigned_abs() >= 1_024 * NANO.unsigned_abs();
    Ok(if format == Format::Binary && whole { show_binary(nanos) } else { show_decimal(nanos, format == Format::Exponent) })
}

struct Parts<'a> {
    negative: bool,
    /// Digits before the point, leading zeros stripped.
    whole: &'a str,
    decimals: &'a str,
    suffix: &'a str,
}

impl<'a> Parts<'a> {
    fn split(text: &'a str) -> Result<Self, QuantityError> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let digits = |text: &'a str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            text.split_at(end)
        };
        let (whole, rest) = digits(unsigned);
        let (decimals, suffix) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest),
            None => ("", rest),
        };
        if text.is_empty() || whole.is_empty() && decimals.is_empty() {
            return Err(QuantityError::Format);
        }
        let letters = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
        let exponent = letters.strip_prefix(['+', '-']).unwrap_or(letters);
        if !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return Err(QuantityError::Format);
        }
        Ok(Self { negative: text.starts_with('-'), whole: whole.trim_start_matches('0'), decimals, suffix })
    }

    /// The API server keeps some texts as they came: whole thousands of the scale whose digits need no shortening.
    fn is_kept(&self, exponent: i32, format: Format) -> bool {
        let length = self.whole.len().max(1) + self.decimals.len();
        let digits = [self.whole, self.decimals].concat();
        let Ok(value) = digits.parse::<i64>() else { return false };
        if self.whole.is_empty() || value == 0 || length > 18 {
            return false;
        }
        if format == Format::Binary {
            return self.decimals.is_empty() && exponent % 10 == 0 && length + 3 * (exponent / 10) as usize <= 14 && value & 7 != 0;
        }
        let scale = exponent - i32::try_from(self.decimals.len()).unwrap_or(i32::MAX);
        scale >= -9 && scale % 3 == 0 && !digits.ends_with("000")
    }

    fn nanos(&self, exponent: i32, format: Format) -> Result<i128, QuantityError> {
        let digits = [self.whole, self.decimals].concat();
        let value: i128 = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| QuantityError::Number)? };
        let (power, scale) = match format {
            Format::Binary => (1i128 << exponent.clamp(0, 60), 9),
            Format::Decimal | Format::Exponent => (1, exponent.saturating_add(9)),
        };
        let scale = scale.saturating_sub(i32::try_from(self.decimals.len()).unwrap_or(i32::MAX));
        let value = value.checked_mul(power).ok_or(QuantityError::Number)?;
        let nanos = shift(value, scale).ok_or(QuantityError::Number)?;
        let most = i128::from(i64::MAX) * NANO;
        let nanos = if format == Format::Binary { nanos.min(most) } else { nanos };
        Ok(if self.negative { -nanos } else { nanos })
    }
}

/// Times ten to a power; what is lost by a negative power is rounded away from zero.
fn shift(value: i128, power: i32) -> Option<i128> {
    if value == 0 {
        return Some(0);
    }
    if power >= 0 {
        return value.checked_mul(10i128.checked_pow(power.unsigned_abs())?);
    }
    match 10i128.checked_pow(power.unsigned_abs()) {
        Some(divisor) => Some(value / divisor + i128::from(value % divisor != 0)),
        None => Some(1),
    }
}

fn suffix(text: &str) -> Result<(i32, Format), QuantityError> {
    if let Some(&(_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == text) {
        return Ok((exponent, Format::Decimal));
    }
    if let Some(at) = BINARY.iter().position(|name| *name == text) {
        return Ok((10 * (i32::try_from(at).unwrap_or(0) + 1), Format::Binary));
    }
    let exponent = text.strip_prefix(['e', 'E']).and_then(|text| text.parse().ok());
    exponent.map(|exponent| (exponent, Format::Exponent)).ok_or(QuantityError::Suffix)
}

fn show_decimal(nanos: i128, as_exponent: bool) -> String {
    let (mut amount, mut exponent) = (nanos, -9);
    if amount == 0 {
        return "0".to_owned();
    }
    while amount % 1_000 == 0 && (as_exponent || exponent < 18) {
        (amount, exponent) = (amount / 1_000, exponent + 3);
    }
    if as_exponent && exponent != 0 {
        return format!("{amount}e{exponent}");
    }
    let suffix = DECIMAL.iter().find(|(_, power)| *power == exponent).map_or("", |(name, _)| name);
    format!("{amount}{suffix}")
}

fn show_binary(nanos: i128) -> String {
    let mut amount = nanos / NANO;
    let mut suffix = "";
    for next in BINARY {
        if amount % 1_024 != 0 {
            break;
        }
        (amount, suffix) = (amount / 1_024, next);
    }
    format!("{amount}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_the_api_server_writes() {
        for (given, written) in [
            ("0", "0"),
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1.5Gi", "1536Mi"),
            ("1000m", "1"),
            ("100m", "100m"),
            ("2000Mi", "2000Mi"),
            ("0.1Gi", "107374182400m"),
            ("512", "512"),
            ("1000", "1k"),
            ("1e3", "1e3"),
            ("1000e0", "1e3"),
            ("1.500", "1.500"),
            ("0.001", "1m"),
            ("0.0000000001", "1n"),
            ("-1", "-1"),
            ("64Ki", "64Ki"),
            ("1Ki", "1Ki"),
            ("0Ki", "0"),
            ("100000Ei", "9223372036854775807"),
        ] {
            assert_eq!(canonical(given).as_deref(), Ok(written), "{given}");
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for (text, error) in [
            ("", QuantityError::Format),
            (".", QuantityError::Format),
            ("1 Gi", QuantityError::Format),
            ("abc", QuantityError::Format),
            ("1Q", QuantityError::Format),
            ("1mm", QuantityError::Suffix),
            ("1e999", QuantityError::Number),
        ] {
            assert_eq!(canonical(text), Err(error), "{text}");
        }
    }
}
