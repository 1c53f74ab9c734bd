//! Durations and sizes as people write them.

use std::time::Duration;

/// Reads a Go-style duration: `1h30m`, `250ms`, `1.5s`, and days as `7d`.
///
/// # Errors
/// A sentence that names what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write it like 30s, 250ms, 1h30m or 7d");
    let mut rest = text;
    let mut total = 0f64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + digits);
        total += number * unit_seconds(&rest[digits..unit_end]).ok_or_else(wrong)?;
        rest = &rest[unit_end..];
    }
    Duration::try_from_secs_f64(total).map_err(|_| wrong())
}

/// Writes a duration for people: `412 ms`, `1.24 s`, `2 min 05 s`.
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.0995 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    }
}

/// Reads a size such as `512`, `10GB` (powers of 1000) or `10GiB` (powers of 1024).
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size; write it like `500MB` or `10GiB`");
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_suffix(unit).unwrap_or_default();
    let (letter, step) = match unit.trim_start().strip_suffix('B') {
        None if unit.is_empty() => ("", 1000),
        None => return Err(wrong()),
        Some(rest) => rest.strip_suffix('i').map_or((rest, 1000), |letter| (letter, 1024)),
    };
    let power = ["", "k", "M", "G", "T", "P"].iter().position(|known| *known == letter || known.to_uppercase() == letter);
    let scale = power.and_then(|power| u64::pow(step, u32::try_from(power).ok()?).into());
    scale.zip(digits.parse::<u64>().ok()).and_then(|(scale, number): (u64, u64)| number.checked_mul(scale)).ok_or_else(wrong)
}

/// Writes a number of bytes for people, in powers of 1000: `812 B`, `4.1 MB`.
pub fn show_bytes(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, 0);
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        let rows = [
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("1kB", 1_000),
            ("1KB", 1_000),
            ("20GB", 20_000_000_000),
            ("10 GiB", 10 << 30),
            ("3TiB", 3 << 40),
        ];
        for (text, expected) in rows {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for wrong in ["", "GB", "1.5GB", "-1", "10G", "1XB", "99999999999999999999", "99999999PB", "1iiB"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_durations() {
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "5", "s", "5 s", "-5s", "5x", "1..2s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn shows_them() {
        assert_eq!(show_duration(Duration::from_micros(1_240)), "1.2 ms");
        assert_eq!(show_duration(Duration::from_millis(412)), "412 ms");
        assert_eq!(show_duration(Duration::from_secs(125)), "2 min 05 s");
        assert_eq!(show_bytes(999), "999 B");
        assert_eq!(show_bytes(4_100_000), "4.1 MB");
    }
}
