//! Two hundred pushes at once, of ten branches, and two runners; it prints how long they take and what they cost.

#![allow(clippy::print_stdout, reason = "figures")]

use super::place::place;
use super::{ALONE, Memory};
use ci::{Filter, RunState};
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_pushes_go_one_after_the_other_a_branch_and_none_is_lost() {
    let _alone = ALONE.lock().await;
    let Some(place) = place("many").await else { return };
    let log = place.folder.join("order");
    let (begun, memory) = (Instant::now(), Memory::now());
    let mut tasks = tokio::task::JoinSet::new();
    for branch in 0..10 {
        let repository = place.clone_of(&format!("r{}", branch % 2));
        // A working copy for each branch.
        let own = place.folder.join(format!("clones/b{branch}"));
        std::process::Command::new("cp").arg("-a").arg(repository.folder()).arg(&own).status().expect("copied");
        let (url, token, log) = (format!("{}/git/r{}.git", place.url, branch % 2), place.admin.clone(), log.clone());
        tasks.spawn(async move {
            let job = format!("echo \"begin $WHARF_CI_BRANCH $WHARF_CI_RUN\" >> {0}; echo \"end $WHARF_CI_BRANCH $WHARF_CI_RUN\" >> {0}\n", log.display());
            std::fs::write(own.join("job.sh"), job).expect("written");
            let url = url.replace("://", &format!("://me:{token}@"));
            for number in 0..20 {
                let commands = format!(
                    "echo {number} > x && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm c && git push -q {url} HEAD:refs/heads/b{branch}"
                );
                let output = tokio::process::Command::new("sh").args(["-c", &commands]).current_dir(&own).output().await.expect("it runs");
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        });
    }
    place.runner("r1");
    place.runner("r2");
    tasks.join_all().await;
    println!("200 pushes in {:?}", begun.elapsed());
    let all = |state| place.runs().list(&Filter { state, ..Filter::default() }, None, 1000);
    assert_eq!(all(None).len(), 200);
    place.until(|| all(Some(RunState::Passed)).len() == 200).await;
    println!("200 runs in {:?}, {} KiB of memory", begun.elapsed(), memory.most());
    assert!(memory.most() < 64 << 10, "{} KiB", memory.most());
    let order = std::fs::read_to_string(&log).expect("an order");
    for branch in 0..10 {
        let name = format!("b{branch}");
        let own: Vec<(&str, u64)> = order
            .lines()
            .filter_map(|line| {
                let mut words = line.split(' ');
                let (what, at, id) = (words.next()?, words.next()?, words.next()?);
                (at == name).then(|| Some((what, id.parse().ok()?)))?
            })
            .collect();
        assert_eq!(own.len(), 40, "{own:?}");
        for pair in own.chunks(2) {
            assert_eq!((pair[0].0, pair[1].0, pair[0].1), ("begin", "end", pair[1].1), "two at once: {own:?}");
        }
        assert!(own.is_sorted_by_key(|(_, id)| *id), "out of order: {own:?}");
    }
}
