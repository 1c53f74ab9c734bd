//! Pulls: which image is wanted, what came of it, and how long a failure holds back the next try. Source: kubelet `images`.

use super::{News, PodAction, StartFault, Turn};
use crate::images::{ImageError, PulledImage};
use crate::pod::Container;
use crate::state::{ContainerRun, FailedPull, Stage};
use base::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failed pulls of a pod, by image.
type Pulls = BTreeMap<String, FailedPull>;

/// What is here or not is looked at again so soon: it costs nothing.
const LOOK: Duration = Duration::from_secs(10);
/// A name that is none stays so until the object changes.
const HOPELESS: Duration = Duration::from_secs(300);
/// So long a failed pull shows its cause alone.
const SHOWN: Duration = Duration::from_secs(2);

/// Takes in what was found out about a container's image.
pub(super) fn of_container(pulls: &mut Pulls, run: &mut ContainerRun, turn: &mut Turn<'_>, name: &str, news: &News) {
    match news {
        News::ImageWanted { attempt, image, secrets, .. } if *attempt == run.runs && run.stage == Stage::Starting => {
            wanted(pulls, run, turn, (name, image), secrets.as_deref());
        }
        News::ImagePulled { attempt, image, result, .. } if *attempt == run.runs && run.stage == Stage::Pulling => match result {
            Ok(pulled) => arrived(run, turn, (name, image), pulled),
            Err(error) => failed(pulls, run, turn, (name, image), error),
        },
        News::NotStarted { attempt, fault: StartFault::Image(error), .. } if *attempt == run.runs && run.stage == Stage::Starting => {
            let image = run.wanted_image.clone();
            failed(pulls, run, turn, (name, &image), error);
        }
        _ => {}
    }
}

fn wanted(pulls: &mut Pulls, run: &mut ContainerRun, turn: &mut Turn<'_>, (name, image): (&str, &str), secrets: Option<&str>) {
    pulls.retain(|_, failed| !failed.backoff.is_over(turn.now));
    let held = pulls.get(image).and_then(|failed| Some((failed.backoff.holds_until(turn.now)?, failed.message.clone())));
    if let Some((until, why)) = held {
        let message = back_off(turn, name, image, &why);
        run.stage = Stage::Waiting { reason: "ImagePullBackOff".into(), message, until: Some(until) };
        return;
    }
    if let Some(secrets) = secrets {
        turn.event(true, "FailedToRetrieveImagePullSecret", secrets, None);
    }
    turn.event(false, "Pulling", format!("Pulling image \"{image}\""), Some(name));
    run.stage = Stage::Pulling;
    turn.act(PodAction::Pull { container: name.to_owned(), attempt: run.runs });
}

/// The container starts with this very image, as soon as the rest of the pod is ready for it.
fn arrived(run: &mut ContainerRun, turn: &mut Turn<'_>, (name, image): (&str, &str), pulled: &PulledImage) {
    let (took, in_all) = (go_millis(pulled.took), go_millis(pulled.in_all));
    let size = pulled.bytes;
    let message = format!("Successfully pulled image \"{image}\" in {took} ({in_all} including waiting). Image size: {size} bytes.");
    turn.event(false, "Pulled", message, Some(name));
    run.stage = Stage::default();
    run.pulled = Some(Box::new(pulled.image.clone()));
}

fn failed(pulls: &mut Pulls, run: &mut ContainerRun, turn: &mut Turn<'_>, (name, image): (&str, &str), error: &ImageError) {
    let (reason, message) = (error.reason(), error.to_string());
    let until = match error {
        ImageError::NeverPull(_) => {
            turn.event(true, reason, message.as_str(), Some(name));
            turn.now.plus(LOOK)
        }
        ImageError::InvalidName(_) => {
            turn.event(true, "InspectFailed", message.as_str(), Some(name));
            turn.now.plus(HOPELESS)
        }
        ImageError::Pull(_) => {
            turn.event(true, "Failed", format!("Failed to pull image \"{image}\": {message}"), Some(name));
            let failed = pulls.entry(image.to_owned()).or_default();
            failed.backoff.fail(turn.now);
            failed.message.clone_from(&message);
            failed.backoff.holds_until(turn.now).unwrap_or(turn.now)
        }
    };
    turn.event(true, "Failed", format!("Error: {reason}"), Some(name));
    run.stage = Stage::Waiting { reason: reason.to_owned(), message, until: Some(until) };
}

/// Whether what a container waits for is about an image that it no longer asks for.
pub(super) fn is_for_another(run: &ContainerRun, container: &Container) -> bool {
    const OF_IMAGES: [&str; 4] = ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"];
    let about_image = matches!(&run.stage, Stage::Waiting { reason, .. } if OF_IMAGES.contains(&reason.as_str()));
    about_image && !run.wanted_image.is_empty() && run.wanted_image != container.image
}

/// A failed pull is shown with its cause first; a little later the back-off is, with the cause in its message.
pub(super) fn announce(pulls: &Pulls, run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>) {
    let Stage::Waiting { reason, message, .. } = &mut run.stage else { return };
    if reason != "ErrImagePull" {
        return;
    }
    let flips = pulls.get(&container.image).map_or(turn.now, |failed| failed.backoff.updated.plus(SHOWN));
    if turn.now < flips {
        turn.wake_at(flips);
        return;
    }
    "ImagePullBackOff".clone_into(reason);
    *message = back_off(turn, &container.name, &container.image, message);
}

/// Tells that a pull is held back; returns how the status says it.
fn back_off(turn: &mut Turn<'_>, name: &str, image: &str, why: &str) -> String {
    let told = format!("Back-off pulling image \"{image}\"");
    turn.event(false, "BackOff", told.as_str(), Some(name));
    turn.event(true, "Failed", "Error: ImagePullBackOff", Some(name));
    format!("{told}: ErrImagePull: {why}")
}

/// What waits for an image looks again at once; where a pull secret changed, also at the registry.
pub(super) fn again(pulls: &mut Pulls, run: &mut ContainerRun, now: Timestamp, at_registry: bool) {
    if at_registry {
        pulls.clear();
    }
    if let Stage::Waiting { reason, until: Some(until), .. } = &mut run.stage
        && matches!(reason.as_str(), "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull")
    {
        *until = now;
    }
}

/// Milliseconds as Go writes durations: `56ms`, `1.204s`, `2m3.5s`.
fn go_millis(time: Duration) -> String {
    let (minutes, millis) = (time.as_secs() / 60, time.as_millis() % 60_000);
    if minutes == 0 && millis < 1_000 {
        return if millis == 0 { "0s".into() } else { format!("{millis}ms") };
    }
    let fraction = format!(".{:03}", millis % 1_000);
    let seconds = format!("{}{}s", millis / 1_000, fraction.trim_end_matches('0').trim_end_matches('.'));
    if minutes == 0 { seconds } else { format!("{minutes}m{seconds}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_writes_them() {
        for (millis, text) in
            [(0, "0s"), (7, "7ms"), (999, "999ms"), (1_000, "1s"), (1_204, "1.204s"), (61_500, "1m1.5s"), (120_000, "2m0s")]
        {
            assert_eq!(go_millis(Duration::from_millis(millis)), text);
        }
    }
}
