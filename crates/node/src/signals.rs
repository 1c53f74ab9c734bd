//! Signals by name or number, as images and pods write them.

const NAMES: [(&str, i32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The number of `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`; `None` for anything else (x86-64 and arm64 numbers, signal(7)).
pub fn number(text: &str) -> Option<i32> {
    let name = text.trim().to_uppercase();
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let name = name.strip_prefix("SIG").unwrap_or(&name);
    let offset = |text: &str| text.parse::<i32>().ok().filter(|n| (0..=30).contains(n));
    if let Some(rest) = name.strip_prefix("RTMIN") {
        return if rest.is_empty() { Some(34) } else { offset(rest.strip_prefix('+')?).map(|n| 34 + n) };
    }
    if let Some(rest) = name.strip_prefix("RTMAX") {
        return if rest.is_empty() { Some(64) } else { offset(rest.strip_prefix('-')?).map(|n| 64 - n) };
    }
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    #[test]
    fn reads_names_and_numbers() {
        for (text, number) in
            [("SIGTERM", Some(15)), ("quit", Some(3)), ("9", Some(9)), ("SIGRTMIN+3", Some(37)), ("SIGNO", None), ("", None), ("0", None)]
        {
            assert_eq!(super::number(text), number, "{text}");
        }
    }
}
