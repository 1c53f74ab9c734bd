//! `Link` (RFC 8288), by which registries page their lists.

/// Where the next page is, as the header of a list says; `None` when this is the last one.
pub fn next_page(header: &str) -> Option<&str> {
    const MAX_LINKS: usize = 32;
    let mut rest = header.get(..header.len().min(16 << 10)).unwrap_or_default();
    for _ in 0..MAX_LINKS {
        let (_, opened) = rest.split_once('<')?;
        let (target, after) = opened.split_once('>')?;
        let end = end_of_link(after);
        let (parameters, next) = after.split_at_checked(end)?;
        if parameters.split(';').any(is_next) && !target.is_empty() {
            return Some(target);
        }
        rest = next;
    }
    None
}

/// The first comma outside quotation marks.
fn end_of_link(text: &str) -> usize {
    let mut quoted = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn is_next(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("rel")
        && value.trim().trim_matches('"').split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_page() {
        let rows = [
            (r#"</v2/a/tags/list?n=2&last=b>; rel="next""#, Some("/v2/a/tags/list?n=2&last=b")),
            (r#"<a>; rel=prev, <b>;title="x,y";rel=NEXT"#, Some("b")),
            (r#"<a>; rel="first next""#, Some("a")),
            ("<a>", None),
            ("<a", None),
            ("", None),
            ("<>; rel=next", None),
        ];
        for (header, expected) in rows {
            assert_eq!(next_page(header), expected, "{header}");
        }
    }
}
