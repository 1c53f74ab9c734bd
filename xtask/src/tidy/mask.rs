//! Rust without comments and the insides of literals: what is left can be searched and counted.

/// Blanks out comments and the insides of texts and characters; line breaks stay, so lines keep their numbers.
pub(super) fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let next = chars.get(at + 1).copied();
        let end = match (c, next) {
            ('/', Some('/')) => line_comment(&chars, at),
            ('/', Some('*')) => block_comment(&chars, at),
            ('"', _) => quoted(&chars, at, '"'),
            ('\'', Some(inner)) if inner == '\\' || chars.get(at + 2) == Some(&'\'') => quoted(&chars, at, '\''),
            ('r', Some('"' | '#')) if !follows_name(&chars, at) => raw(&chars, at),
            _ => at,
        };
        if end == at {
            out.push(c);
            at += 1;
            continue;
        }
        let literal = c != '/';
        for (index, c) in chars.iter().enumerate().take(end).skip(at) {
            let edge = literal && (index == at || index + 1 == end);
            out.push(if *c == '\n' || edge { *c } else { ' ' });
        }
        at = end;
    }
    out
}

fn follows_name(chars: &[char], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| chars.get(before)).is_some_and(|c| (c.is_alphanumeric() && *c != 'b') || *c == '_')
}

fn line_comment(chars: &[char], at: usize) -> usize {
    chars.iter().skip(at).position(|c| *c == '\n').map_or(chars.len(), |length| at + length)
}

fn block_comment(chars: &[char], at: usize) -> usize {
    let (mut depth, mut at) = (0usize, at);
    while at < chars.len() {
        match (chars.get(at), chars.get(at + 1)) {
            (Some('/'), Some('*')) => (depth, at) = (depth + 1, at + 2),
            (Some('*'), Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(chars.len())
}

fn quoted(chars: &[char], at: usize, quote: char) -> usize {
    let mut at = at + 1;
    while let Some(c) = chars.get(at) {
        at += if *c == '\\' { 2 } else { 1 };
        if *c == quote {
            break;
        }
    }
    at.min(chars.len())
}

/// `r"..."`, `r#"..."#`; a raw name such as `r#type` is none.
fn raw(chars: &[char], at: usize) -> usize {
    let hashes = chars.iter().skip(at + 1).take_while(|c| **c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return at;
    }
    let closes = |from: usize| chars.get(from) == Some(&'"') && (1..=hashes).all(|step| chars.get(from + step) == Some(&'#'));
    (open + 1..chars.len()).find(|from| closes(*from)).map_or(chars.len(), |from| from + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn keeps_code_and_lines_only() {
        let text = "let a = \"unsafe {\"; // unsafe\n/* {\n/* } */ */ 'x' '\\'' 'a r#\"\n\"}\"# b\"{\" r#type \"\\\\\" {";
        let masked = mask(text);
        assert_eq!(masked.lines().count(), text.lines().count());
        assert!(!masked.contains("unsafe") && masked.contains("r#type"), "{masked}");
        assert_eq!((masked.matches('{').count(), masked.matches('}').count()), (1, 0), "{masked}");
    }
}
