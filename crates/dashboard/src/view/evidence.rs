//! What was seen: lines of a source with their numbers, or whatever else stands there.
//!
//! A line of a source is written `12 | RUN make`, as `wharf lint` prints it; a line alone stands at the finding's own place.

use crate::ansi::pieces;
use crate::text;
use maud::{Markup, html};

/// Lines that are shown of one finding.
const MOST: usize = 20;

/// One line of a source.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    number: u32,
    text: &'a str,
}

/// All of it; `line` is the one that is pointed at.
pub(super) fn shown(evidence: &[String], line: Option<u32>) -> Markup {
    let lines: Vec<&str> = evidence.iter().flat_map(|one| one.split('\n')).take(MOST).collect();
    if lines.iter().all(|line| line.is_empty()) {
        return html! {};
    }
    if let Some(source) = source(&lines, line) {
        return of_source(&source, line);
    }
    self::lines(lines.into_iter())
}

/// Lines as a terminal would show them.
pub(super) fn lines<'a>(lines: impl Iterator<Item = &'a str>) -> Markup {
    html! {
        pre.seen tabindex="0" role="region" aria-label="What was seen" {
            @for line in lines {
                @for piece in pieces(line) { span class=[Some(piece.0).filter(|class| !class.is_empty())] { (piece.1) } }
                "\n"
            }
        }
    }
}

fn of_source(source: &[Line<'_>], hit: Option<u32>) -> Markup {
    html! {
        pre.source tabindex="0" role="region" aria-label="The lines around it" {
            @for line in source {
                @let is_hit = Some(line.number) == hit;
                span.row.hit[is_hit] {
                    span.n { (if is_hit { "▶ " } else { "" }) (line.number) }
                    span.t { (text::block(line.text, 240)) "\n" }
                    @if is_hit { span.unseen { "(this line) " } }
                }
            }
        }
    }
}

/// The lines of a source, where all are.
fn source<'a>(lines: &[&'a str], hit: Option<u32>) -> Option<Vec<Line<'a>>> {
    if let ([text], Some(number)) = (lines, hit)
        && numbered(text).is_none()
    {
        return Some(vec![Line { number, text }]);
    }
    lines.iter().filter(|line| !line.is_empty()).map(|line| numbered(line)).collect()
}

/// `12 | RUN make`, with or without a mark before the number.
fn numbered(line: &str) -> Option<Line<'_>> {
    let rest = line.trim_start_matches([' ', '>', '▶']);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let rest = rest.trim_start_matches(' ');
    let text = rest.strip_prefix(['|', '│'])?;
    Some(Line { number: number.parse().ok()?, text: text.strip_prefix(' ').unwrap_or(text) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_a_source_are_told_from_others() {
        let line = |number, text| Line { number, text };
        assert_eq!(
            source(&["  2 | FROM a", "> 3 | RUN b | c", "4 |"], Some(3)),
            Some(vec![line(2, "FROM a"), line(3, "RUN b | c"), line(4, "")])
        );
        assert_eq!(source(&["RUN b"], Some(3)), Some(vec![line(3, "RUN b")]));
        assert_eq!(source(&["2 | FROM a", "GET / 200"], Some(2)), None);
        assert_eq!(source(&["99999999999 | a", "1 | b"], Some(2)), None);
        let html = shown(&["2 | FROM a".into(), "3 | RUN <b>".into()], Some(3)).into_string();
        assert!(html.contains("RUN &lt;b&gt;") && html.contains("row hit") && html.matches("row").count() == 2, "{html}");
        assert!(shown(&["\u{1b}[31mred".into(), "x".into()], None).into_string().contains("<span class=\"f1\">red</span>"));
        assert_eq!(shown(&[], Some(1)).into_string(), "");
    }

    proptest! {
        #[test]
        fn any_evidence_is_shown(lines in prop::collection::vec("[ >0-9|\\PC\n]{0,20}", 0..50), line in prop::option::of(any::<u32>())) {
            let html = shown(&lines, line).into_string();
            prop_assert!(!html.contains("<script") && html.len() < 200_000);
        }
    }
}
