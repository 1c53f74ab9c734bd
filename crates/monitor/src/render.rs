//! A notice as people read it.

use crate::{Notice, NoticeKind};
use base::Finding;

/// Findings that are told; the page has all.
const SHOWN: usize = 20;
/// Characters of a line that are told.
const LONGEST_LINE: usize = 500;

impl NoticeKind {
    /// The name by which machines tell it apart.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RunFailed => "run-failed",
            Self::NewAdvisory => "new-advisory",
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

impl Notice {
    /// One line without anything that could break out of it.
    pub fn line(&self) -> String {
        one_line(&format!("[{}] {}", self.project, self.subject))
    }

    /// The text with the findings and the page.
    pub fn body(&self) -> String {
        let mut lines: Vec<String> = self.text.lines().map(plain).collect();
        if !self.findings.is_empty() {
            lines.push(String::new());
            lines.extend(self.findings.iter().take(SHOWN).flat_map(finding));
        }
        if self.findings.len() > SHOWN {
            lines.push(format!("and {} more", self.findings.len() - SHOWN));
        }
        if let Some(url) = &self.url {
            lines.extend([String::new(), one_line(url)]);
        }
        lines.extend([String::new(), format!("at {}, told by wharf", self.at)]);
        lines.join("\n")
    }
}

fn finding(finding: &Finding) -> Vec<String> {
    let place = finding.place.to_string();
    let head = [place.as_str(), &finding.rule, &format!("{}:", finding.severity), &finding.message];
    let head: Vec<&str> = head.into_iter().filter(|part| !part.is_empty()).collect();
    let mut lines = vec![one_line(&head.join(" "))];
    let more = std::iter::once(&finding.help).chain(&finding.evidence).filter(|line| !line.is_empty());
    lines.extend(more.map(|line| format!("    {}", one_line(line))));
    lines
}

/// Control characters and what turns the direction of reading are not for a line that somebody else wrote.
fn plain(text: &str) -> String {
    let moves =
        |c: char| c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    text.chars().take(LONGEST_LINE).map(|c| if moves(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn one_line(text: &str) -> String {
    plain(&text.replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Place, Severity, Timestamp};

    #[test]
    fn what_others_wrote_stays_within_its_line() {
        let finding =
            Finding::new("DL3006", Severity::Error, Place::in_file("Dockerfile", 3, 1), "a\r\nBcc: b@example.com").with_help("pin it");
        let notice = Notice {
            key: "k".to_owned(),
            kind: NoticeKind::RunFailed,
            project: "jobs".to_owned(),
            subject: "main\r\nBcc: x@example.com failed".to_owned(),
            text: "one\n\u{1b}[2Jtwo\u{202e}".to_owned(),
            findings: vec![finding; 22],
            url: Some("http://host/runs/1".to_owned()),
            at: Timestamp::from_micros(0),
        };
        assert_eq!(notice.line(), "[jobs] main  Bcc: x@example.com failed");
        let body = notice.body();
        assert!(
            body.starts_with("one\n\u{fffd}[2Jtwo\u{fffd}\n\nDockerfile:3:1 DL3006 error: a  Bcc: b@example.com\n    pin it\n"),
            "{body}"
        );
        assert!(body.ends_with("and 2 more\n\nhttp://host/runs/1\n\nat 1970-01-01T00:00:00Z, told by wharf"), "{body}");
    }
}
