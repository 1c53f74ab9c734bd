//! What a path names, and how paths are written.

use crate::source::ReleaseKey;
use ci::RunId;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stays as it is in a part of a path or a query (RFC 3986 2.3).
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A page, a stream, a file or an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/`: runs as rows of stages.
    Board,
    /// `/events`: what changes there.
    BoardEvents,
    /// `/runs/7`, and `/runs/7/stages/NAME` with one stage opened.
    Run(RunId, Option<String>),
    /// `/runs/7/events`.
    RunEvents(RunId),
    /// `/runs/7/stages/NAME/log`: lines as JSON.
    Log(RunId, String),
    /// `/runs/7/stages/NAME/log.txt`: all of them as they are.
    LogText(RunId, String),
    /// `/runs/7/artefacts/NAME`.
    Artefact(RunId, String),
    /// `/runs/7/retry`.
    Retry(RunId),
    /// `/runs/7/cancel`.
    Cancel(RunId),
    /// `/releases`.
    Releases,
    /// `/releases/PROJECT/ENVIRONMENT/ID`.
    Release(ReleaseKey),
    /// `/images`.
    Images,
    /// `/images/ID`.
    Image(String),
    /// `/assets/NAME`.
    Asset(String),
    /// `/login`.
    Login,
    /// `/logout`.
    Logout,
}

/// What a path names; nothing where it is no path of a page.
pub(crate) fn route(path: &str) -> Option<Route> {
    if path == "/" {
        return Some(Route::Board);
    }
    let parts: Vec<String> = path.strip_prefix('/')?.split('/').take(8).map(decode).collect::<Option<_>>()?;
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    Some(match parts.as_slice() {
        ["events"] => Route::BoardEvents,
        ["runs", id, rest @ ..] => return of_run(number(id)?, rest),
        ["releases"] => Route::Releases,
        ["releases", project, environment, id] => {
            Route::Release(ReleaseKey { project: (*project).to_owned(), environment: (*environment).to_owned(), id: (*id).to_owned() })
        }
        ["images"] => Route::Images,
        ["images", id] => Route::Image((*id).to_owned()),
        ["assets", name] => Route::Asset((*name).to_owned()),
        ["login"] => Route::Login,
        ["logout"] => Route::Logout,
        _ => return None,
    })
}

fn of_run(id: RunId, rest: &[&str]) -> Option<Route> {
    Some(match rest {
        [] => Route::Run(id, None),
        ["events"] => Route::RunEvents(id),
        ["retry"] => Route::Retry(id),
        ["cancel"] => Route::Cancel(id),
        ["stages", stage] => Route::Run(id, Some((*stage).to_owned())),
        ["stages", stage, "log"] => Route::Log(id, (*stage).to_owned()),
        ["stages", stage, "log.txt"] => Route::LogText(id, (*stage).to_owned()),
        ["artefacts", name] => Route::Artefact(id, (*name).to_owned()),
        _ => return None,
    })
}

/// A part of a path; an empty one is none.
fn decode(part: &str) -> Option<String> {
    let text = percent_decode_str(part).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}

fn number(text: &str) -> Option<RunId> {
    let is_plain = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok().map(RunId))?
}

/// A text as a part of a path or a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, &RESERVED).to_string()
}

/// `/runs/7/stages/NAME`.
pub(crate) fn stage(id: RunId, stage: &str) -> String {
    format!("/runs/{id}/stages/{}", encode(stage))
}

/// `/releases/PROJECT/ENVIRONMENT/ID`.
pub(crate) fn release(key: &ReleaseKey) -> String {
    format!("/releases/{}/{}/{}", encode(&key.project), encode(&key.environment), encode(&key.id))
}

/// `/images/ID`.
pub(crate) fn image(id: &str) -> String {
    format!("/images/{}", encode(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_read() {
        let id = RunId(7);
        for (path, expected) in [
            ("/", Some(Route::Board)),
            ("/runs/7", Some(Route::Run(id, None))),
            ("/runs/7/stages/a%2Fb", Some(Route::Run(id, Some("a/b".into())))),
            ("/runs/7/stages/lint/log", Some(Route::Log(id, "lint".into()))),
            ("/runs/7/stages/lint/log.txt", Some(Route::LogText(id, "lint".into()))),
            ("/runs/7/artefacts/..%2Fx", Some(Route::Artefact(id, "../x".into()))),
            ("/images/sha256%3Aab", Some(Route::Image("sha256:ab".into()))),
            ("/runs", None),
            ("/runs/", None),
            ("/runs/07", None),
            ("/runs/-7", None),
            ("/runs/99999999999999999999", None),
            ("/runs/7/", None),
            ("/runs/7/stages/%ff", None),
            ("//runs/7", None),
            ("", None),
        ] {
            assert_eq!(route(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name in "\\PC{1,30}", id in 1..u64::MAX) {
            prop_assert_eq!(route(&stage(RunId(id), &name)), Some(Route::Run(RunId(id), Some(name.clone()))));
            let key = ReleaseKey { project: name.clone(), environment: "e".into(), id: name.clone() };
            prop_assert_eq!(route(&release(&key)), Some(Route::Release(key)));
            prop_assert_eq!(route(&image(&name)), Some(Route::Image(name.clone())));
        }

        #[test]
        fn no_path_makes_it_panic(path in "[/\\PC%.]{0,60}") {
            let _ = route(&path);
        }
    }
}
