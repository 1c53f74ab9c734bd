//! What is given to steps and kept from them, seen by an isolation that only looks.

#[path = "support/home.rs"]
mod home;

use home::Home;
use std::fs;
use std::path::PathBuf;

#[test]
fn an_agent_is_there_for_the_steps_that_ask_for_it() {
    let home = Home::new();
    home.write("empty", "");
    let look = Steps::default();
    let build = |run: &str, given: &[&str]| {
        let mut request = home.request(&format!("FROM scratch\nCOPY empty /\nRUN {run} [\"/x\"]\n"));
        request.no_cache = true;
        request.agents = given.iter().map(|id| ((*id).to_owned(), PathBuf::from(format!("/agents/{id}")))).collect();
        home.build_isolated(&request, &look)
    };
    let seen = |run: &str, given: &[&str]| {
        let built = build(run, given).unwrap_or_else(|error| panic!("{run}: {error}"));
        let step = look.0.lock().expect("steps").pop().expect("step");
        let variable = step.env.iter().find(|(name, _)| name == "SSH_AUTH_SOCK").map(|(_, value)| value.clone()).unwrap_or_default();
        let mounts = step.mounts.iter().map(|mount| format!("{} {:?}", mount.target, mount.source)).collect::<Vec<_>>();
        (variable, mounts, built.warnings)
    };
    let agent = |id: &str, mode: u32, owner: u32| format!("Agent {{ socket: \"/agents/{id}\", mode: {mode}, uid: {owner}, gid: {owner} }}");
    let place = "/run/buildkit/ssh_agent.0";
    assert_eq!(seen("--mount=type=ssh", &["default"]), (place.into(), vec![format!("{place} {}", agent("default", 0o600, 0))], vec![]));
    let (variable, mounts, _) = seen("--mount=type=ssh,id=a,target=/a,mode=0660,uid=7,gid=7 --mount=type=ssh,id=b", &["a", "b"]);
    assert_eq!(
        (variable.as_str(), mounts),
        ("/a", vec![format!("/a {}", agent("a", 0o660, 7)), format!("/run/buildkit/ssh_agent.1 {}", agent("b", 0o600, 0))])
    );
    // docker goes on without one that is not required.
    assert_eq!(
        seen("--mount=type=ssh", &[]),
        (String::new(), vec![], vec!["the ssh agent `default` was not given; the step runs without it".into()])
    );
    let error = build("--mount=type=ssh,id=x,required", &["default"]).expect_err("refused");
    assert!(error.to_string().contains("the ssh agent `x` was not given") && error.problem().hints[0].contains("--ssh x"), "{error}");
    let failing = home.request("FROM scratch\nCOPY empty /\nRUN --mount=type=ssh [\"/none\"]\n");
    let error = home.build_isolated(&failing, &Fails).expect_err("fails");
    assert!(error.problem().hints[0].contains("pass `--ssh default`"), "{:?}", error.problem());
}

/// Runs nothing, and remembers what it was asked for.
#[derive(Default)]
struct Steps(std::sync::Mutex<Vec<builder::RunStep>>);

impl builder::Isolate for Steps {
    fn run(&self, step: &builder::RunStep, _: &dyn Fn(&str)) -> Result<builder::Exit, builder::IsolateError> {
        self.0.lock().expect("steps").push(step.clone());
        Ok(builder::Exit::Code(0))
    }
}

/// Runs nothing, and says that it failed.
struct Fails;

impl builder::Isolate for Fails {
    fn run(&self, _: &builder::RunStep, _: &dyn Fn(&str)) -> Result<builder::Exit, builder::IsolateError> {
        Ok(builder::Exit::Code(255))
    }
}

/// All cache mounts together have a bound: what was not used for the longest time goes first, and never what is in use.
#[test]
fn cache_mounts_have_a_bound() {
    let home = Home::new();
    home.write("empty", "");
    let writes = Writes;
    let build = |id: &str, limit: u64| {
        let mut request = home.request(&format!("FROM scratch\nCOPY empty /\nRUN --mount=type=cache,id={id},target=/c [\"/x\"]\n"));
        (request.no_cache, request.cache_mount_bytes) = (true, Some(limit));
        home.build_isolated(&request, &writes).expect("built");
        builder::cache_mounts(&home.store).expect("listed").into_iter().map(|mount| (mount.id, mount.bytes)).collect::<Vec<_>>()
    };
    let of = |ids: &[&str], bytes: u64| ids.iter().map(|id| ((*id).to_owned(), bytes)).collect::<Vec<_>>();
    assert_eq!(build("a", 3000), of(&["a"], 1000));
    assert_eq!(build("b", 3000), of(&["a", "b"], 1000));
    assert_eq!(build("c", 3000), of(&["a", "b", "c"], 1000));
    // Used again, `a` is no longer the oldest; and what it has now is counted anew.
    assert_eq!(build("a", 4000), [("a".to_owned(), 2000), ("b".to_owned(), 1000), ("c".to_owned(), 1000)]);
    assert_eq!(build("d", 4000), [("a".to_owned(), 2000), ("c".to_owned(), 1000), ("d".to_owned(), 1000)]);
    let removed = builder::trim_cache_mounts(&home.store, 1000).expect("trimmed");
    assert_eq!(removed.iter().map(|mount| (mount.id.as_str(), mount.bytes)).collect::<Vec<_>>(), [("c", 1000), ("a", 2000)]);
    assert_eq!(build("b", 4000), of(&["b", "d"], 1000), "a removed one begins anew");
    assert!(build("e", 0).is_empty());
    // What a step has now is nobody's to remove.
    let mut request = home.request("FROM scratch\nCOPY empty /\nRUN --mount=type=cache,target=/c [\"/x\"]\n");
    request.no_cache = true;
    let trims = Trims(&home.store);
    home.build_isolated(&request, &trims).expect("built");
}

/// Somebody else trims while a step runs.
struct Trims<'a>(&'a blobs::Store);

impl builder::Isolate for Trims<'_> {
    fn run(&self, step: &builder::RunStep, output: &dyn Fn(&str)) -> Result<builder::Exit, builder::IsolateError> {
        builder::Isolate::run(&Writes, step, output)?;
        assert_eq!(builder::trim_cache_mounts(self.0, 0).expect("trimmed"), []);
        assert!(builder::cache_mounts(self.0).expect("listed")[0].in_use);
        Ok(builder::Exit::Code(0))
    }
}

/// Adds 1000 bytes to its first mount.
struct Writes;

impl builder::Isolate for Writes {
    fn run(&self, step: &builder::RunStep, _: &dyn Fn(&str)) -> Result<builder::Exit, builder::IsolateError> {
        let builder::RunSource::Below { base, .. } = &step.mounts[0].source else { panic!("{step:?}") };
        fs::write(base.join(base::ids::suffix(8)), [0; 1000]).expect("written");
        // No build may remove what this one has.
        std::thread::sleep(std::time::Duration::from_millis(20));
        Ok(builder::Exit::Code(0))
    }
}
