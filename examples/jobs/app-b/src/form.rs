//! Reads `application/x-www-form-urlencoded` bodies. Source: WHATWG URL section 5.1.

/// The first value of a field; `None` when it is missing or not UTF-8.
pub fn field(body: &[u8], name: &str) -> Option<String> {
    body.split(|&byte| byte == b'&')
        .find_map(|pair| {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let key = decode(halves.next().unwrap_or_default());
            (key == name.as_bytes()).then(|| decode(halves.next().unwrap_or_default()))
        })
        .and_then(|value| String::from_utf8(value).ok())
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after_two @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high << 4 | low);
                    rest = after_two;
                }
                _ => bytes.push(b'%'),
            },
            _ => bytes.push(first),
        }
    }
    bytes
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn reads_the_first_value() {
        assert_eq!(field(b"a=1&token=my%74oken&token=x", "token").as_deref(), Some("mytoken"));
        assert_eq!(field(b"token=a+b%", "token").as_deref(), Some("a b%"));
        assert_eq!(field(b"tokens=x", "token"), None);
        assert_eq!(field(b"token=%ff", "token"), None);
    }
}
