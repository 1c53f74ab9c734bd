//! Go's `time.Duration` as text: `1h2m3.5s`. Source: Go's package `time`.

const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Nanoseconds of a text such as `1.5h` or `-3m2s`.
pub fn parse(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut nanos = 0i128;
    if unsigned != "0" {
        let mut rest = unsigned;
        if rest.is_empty() || rest.len() > 128 {
            return None;
        }
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, tail) = rest.split_at(end);
            let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
            nanos = nanos.checked_add(part(number, *size)?)?;
            rest = tail;
        }
    }
    i64::try_from(if text.starts_with('-') { -nanos } else { nanos }).ok()
}

fn part(number: &str, size: i128) -> Option<i128> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && decimals.is_empty() || whole.len() > 19 || decimals.contains('.') {
        return None;
    }
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let decimals: String = decimals.chars().take(15).collect();
    let fraction: i128 = if decimals.is_empty() { 0 } else { decimals.parse().ok()? };
    let scale = 10i128.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    whole.checked_mul(size)?.checked_add(fraction.checked_mul(size)? / scale)
}

/// As Go shows it: `1h0m0s`, `1.5s`, `2ms`.
pub fn show(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let total = nanos.unsigned_abs();
    let fraction = |total: u64, unit: u64| {
        let (whole, rest) = (total / unit, total % unit);
        let digits = unit.ilog10() as usize;
        let decimals = format!("{rest:0digits$}");
        let decimals = decimals.trim_end_matches('0');
        if rest == 0 { whole.to_string() } else { format!("{whole}.{decimals}") }
    };
    match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{total}ns"),
        1_000..1_000_000 => format!("{sign}{}µs", fraction(total, 1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}ms", fraction(total, 1_000_000)),
        _ => {
            let (minutes, rest) = (total / 60_000_000_000, total % 60_000_000_000);
            let seconds = fraction(rest, 1_000_000_000);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for (text, nanos, shown) in [
            ("0", 0, "0s"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("-3m2s", -182_000_000_000, "-3m2s"),
            ("1us", 1_000, "1µs"),
            ("2500us", 2_500_000, "2.5ms"),
            ("7ns", 7, "7ns"),
        ] {
            assert_eq!(parse(text), Some(nanos), "{text}");
            assert_eq!(show(nanos), shown);
        }
        for wrong in ["", "1", "s", "1x", "1.2.3s", "-", "999999999999h"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
