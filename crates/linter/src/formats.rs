//! Reports in hadolint's ten shapes: each a file in `formats/` and a line in [`FORMATS`].

mod checkstyle;
mod codacy;
mod codeclimate;
mod gnu;
mod json;
mod junit;
mod sarif;
mod sonarqube;
mod tty;

use base::Finding;
use dockerfile::PARSE_ERROR_CODE;

/// What is to be rendered.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The findings of all files, a file's together.
    pub findings: &'a [Finding],
    /// Every file that was looked at, the clean ones too.
    pub files: &'a [String],
    /// Whether `tty` may colour the severities.
    pub colored: bool,
    /// The version that machine formats name.
    pub version: &'a str,
}

/// A shape of a report.
pub struct Format {
    /// Its name behind `-f`.
    pub name: &'static str,
    /// Writes the report, the last line break included where the shape has one.
    pub render: fn(&Report<'_>) -> String,
}

/// Every format, the default first.
pub const FORMATS: &[Format] = &[
    Format { name: "tty", render: tty::render },
    Format { name: "json", render: json::render },
    Format { name: "checkstyle", render: checkstyle::render },
    Format { name: "codeclimate", render: codeclimate::render },
    Format { name: "gitlab_codeclimate", render: codeclimate::render_gitlab },
    Format { name: "gnu", render: gnu::render },
    Format { name: "codacy", render: codacy::render },
    Format { name: "sonarqube", render: sonarqube::render },
    Format { name: "sarif", render: sarif::render },
    Format { name: "junit", render: junit::render },
];

/// The format of that name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// What a finding says, with what to do about it.
fn text(finding: &Finding) -> String {
    if finding.help.is_empty() { finding.message.clone() } else { format!("{}; {}", finding.message, finding.help) }
}

fn file(finding: &Finding) -> &str {
    finding.place.file.as_deref().unwrap_or_default()
}

fn line(finding: &Finding) -> u32 {
    finding.place.line.unwrap_or(1)
}

fn column(finding: &Finding) -> u32 {
    finding.place.column.unwrap_or(1)
}

fn is_parse_error(finding: &Finding) -> bool {
    finding.rule == PARSE_ERROR_CODE
}

/// The findings of each file, in the order of the files; files that only findings name come behind.
fn by_file<'a>(report: &Report<'a>) -> Vec<(&'a str, Vec<&'a Finding>)> {
    let mut groups: Vec<(&str, Vec<&Finding>)> = report.files.iter().map(|file| (file.as_str(), Vec::new())).collect();
    let mut index: std::collections::HashMap<&str, usize> = groups.iter().enumerate().map(|(at, (file, _))| (*file, at)).collect();
    for finding in report.findings {
        let at = *index.entry(file(finding)).or_insert_with(|| {
            groups.push((file(finding), Vec::new()));
            groups.len() - 1
        });
        if let Some((_, findings)) = groups.get_mut(at) {
            findings.push(finding);
        }
    }
    groups
}
