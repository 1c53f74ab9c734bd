//! What goes in and comes out: logs, attached streams, terminals, further processes.

#[path = "support/place.rs"]
mod support;

use runtime::*;
use std::path::Path;
use support::{all, place, wait};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_a_build_step_are_whole_and_exit_is_told() {
    let Some(place) = place("attach").await else { return };
    let pod = place.pod("one");
    place.runtime.create_pod(&pod).await.expect("made");
    for attempt in 0..20 {
        let mut spec = place.sh("one", "run", "seq 1 5000; echo oops >&2; exit 5");
        (spec.log, spec.attempt) = (None, attempt);
        std::fs::create_dir_all(&spec.root.writable).expect("folder");
        place.runtime.start("one", &spec).await.expect("started");
        let mut streams = place.runtime.attach("one", "run").await.expect("attached");
        let mut stderr = streams.stderr.take().expect("errors");
        let (out, err) = tokio::join!(all(&mut streams.stdout), all(&mut stderr));
        assert_eq!((out.lines().count(), out.ends_with("5000\n"), err.as_str()), (5000, true, "oops\n"));
        assert_eq!(streams.exit.await.expect("told"), Ok(5));
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn input_reaches_the_program_and_ends() {
    let Some(place) = place("stdin").await else { return };
    let pod = place.pod("one");
    place.runtime.create_pod(&pod).await.expect("made");
    let mut spec = place.container("one", "cat", &["cat"]);
    (spec.log, spec.stdin) = (None, true);
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.start("one", &spec).await.expect("started");
    let mut streams = place.runtime.attach("one", "cat").await.expect("attached");
    let mut stdin = streams.stdin.take().expect("input");
    stdin.write_all(b"through\n").await.expect("written");
    drop(stdin);
    assert_eq!(all(&mut streams.stdout).await, "through\n");
    assert_eq!(streams.exit.await.expect("told"), Ok(0));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_attaches_to_a_logged_container_gets_a_copy() {
    let Some(place) = place("copy").await else { return };
    let pod = place.pod("one");
    place.runtime.create_pod(&pod).await.expect("made");
    let mut spec = place.sh("one", "main", "read line; echo got $line; seq 1 20000; echo last");
    spec.stdin = true;
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    let mut events = place.runtime.events();
    place.runtime.start("one", &spec).await.expect("started");
    let mut streams = place.runtime.attach("one", "main").await.expect("attached");
    streams.stdin.as_mut().expect("input").write_all(b"hello\n").await.expect("written");
    let said = all(&mut streams.stdout).await;
    assert!(said.starts_with("got hello\n") && said.lines().count() > 10_000, "{}", said.lines().count());
    wait(&mut events, "one", "main").await;
    assert!(place.log(&spec).ends_with("20000\nlast\n"));
    assert_eq!(place.log(&spec).lines().count(), 20_002);
    assert!(matches!(place.runtime.attach("one", "main").await, Err(RuntimeError::NotRunning(_))));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_input_of_who_attaches_once_ends_with_it() {
    let Some(place) = place("once").await else { return };
    place.runtime.create_pod(&place.pod("one")).await.expect("made");
    let mut spec = place.sh("one", "main", "cat; echo ended");
    spec.stdin = true;
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.start("one", &spec).await.expect("started");
    // Who comes and goes does not end it.
    drop(place.runtime.attach("one", "main").await.expect("attached"));
    let mut streams = place.runtime.attach_once("one", "main").await.expect("attached");
    let mut stdin = streams.stdin.take().expect("input");
    stdin.write_all(b"typed\n").await.expect("written");
    drop(stdin);
    assert_eq!(all(&mut streams.stdout).await, "typed\nended\n");
    assert_eq!(streams.exit.await.expect("told"), Ok(0));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_have_sizes_and_names() {
    let Some(place) = place("tty").await else { return };
    let pod = place.pod("one");
    place.runtime.create_pod(&pod).await.expect("made");
    let mut spec = place.sh("one", "main", "tty; read go; stty size; echo $TERM; test -c /dev/console && echo console");
    (spec.log, spec.stdin, spec.terminal) = (None, true, true);
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.start("one", &spec).await.expect("started");
    let mut streams = place.runtime.attach("one", "main").await.expect("attached");
    streams.resize.as_ref().expect("a terminal").send((123, 45)).expect("sent");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    streams.stdin.as_mut().expect("input").write_all(b"\n").await.expect("written");
    let said = all(&mut streams.stdout).await.replace('\r', "");
    assert!(said.contains("/dev/pts/0") && said.contains("45 123\nxterm\nconsole\n"), "{said}");
    assert!(streams.stderr.is_none());
    assert_eq!(streams.exit.await.expect("told"), Ok(0));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn further_processes_run_inside() {
    let Some(place) = place("exec").await else { return };
    let pod = place.pod("one");
    place.runtime.create_pod(&pod).await.expect("made");
    let mut spec = place.container("one", "main", &["sleep", "1000"]);
    (spec.user.image, spec.working_dir, spec.env) = ("web".to_owned(), "/tmp".to_owned(), vec!["A=1".to_owned()]);
    std::fs::create_dir_all(&spec.root.writable).expect("folder");
    place.runtime.start("one", &spec).await.expect("started");
    let exec = |script: &str| ExecSpec {
        args: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        env: vec!["B=2".to_owned()],
        ..ExecSpec::default()
    };
    let run = async |spec: ExecSpec, input: &str| {
        let mut streams = place.runtime.exec("one", "main", &spec).await?;
        if let Some(mut stdin) = streams.stdin.take() {
            stdin.write_all(input.as_bytes()).await.expect("written");
            // A terminal has no end: it is typed.
            if spec.terminal {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
        let out = all(&mut streams.stdout).await;
        let err = if let Some(stderr) = &mut streams.stderr { all(stderr).await } else { String::new() };
        Ok::<_, RuntimeError>((out.replace('\r', ""), err, streams.exit.await.expect("told")))
    };
    let (out, err, code) = run(exec("id -u; pwd; echo $A$B; hostname; ps | grep -c 'sleep 100[0]'; grep -E 'NoNew|Seccomp:|CapEff' /proc/self/status; cat /proc/self/cgroup | grep -v ':/$' | grep -c wharf; echo bad >&2; exit 9"), "").await.expect("ran");
    assert_eq!(out, "1000\n/tmp\n12\none\n1\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n0\n");
    assert_eq!((err.as_str(), code), ("bad\n", Ok(9)));
    for _ in 0..30 {
        assert_eq!(run(ExecSpec { stdin: true, ..exec("cat") }, "in").await.expect("ran"), ("in".to_owned(), String::new(), Ok(0)));
    }
    let (out, _, code) =
        run(ExecSpec { terminal: true, stdin: true, ..exec("tty; read x; echo got $x; exit 4") }, "y\n").await.expect("ran");
    assert!(out.contains("/dev/pts/") && out.contains("got y\n"), "{out}");
    assert_eq!(code, Ok(4));
    let error = run(ExecSpec { args: vec!["nosuch".to_owned()], ..ExecSpec::default() }, "").await.expect_err("none");
    assert!(matches!(error, RuntimeError::Start { code: 127, .. }), "{error:?}");
    assert!(matches!(place.runtime.exec("one", "none", &exec("true")).await, Err(RuntimeError::NotRunning(_))));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_logs_lose_nothing() {
    let Some(place) = place("rotate").await else { return };
    let mut spec = place.sh("one", "main", "seq 1 60000");
    let log = spec.log.as_mut().expect("logged");
    (log.max_bytes, log.max_files) = (400_000, 20);
    let path = log.path.clone();
    place.run(&place.pod("one"), &spec).await.expect("ran");
    let mut lines = Vec::new();
    for number in (0..20).rev() {
        let name = if number == 0 { path.clone() } else { Path::new(&format!("{}.{number}", path.display())).to_owned() };
        let Ok(text) = std::fs::read_to_string(name) else { continue };
        assert!(text.len() <= 400_000);
        lines.extend(text.lines().map(|line| line.rsplit(' ').next().and_then(|word| word.parse::<u32>().ok()).expect("number")));
    }
    assert_eq!(lines, (1..=60_000).collect::<Vec<_>>());
    place.end().await;
}
