//! `wharf infra` as it is typed, against a cloud of our own on this machine that walks the documented states, and against moto where it is.

#[allow(dead_code, unused_imports, reason = "the room's own tests use more of it")]
#[path = "../../infra/tests/cloud"]
mod cloud {
    pub mod fake;
    pub mod sigv4;
}
#[path = "infra/place.rs"]
mod place;

use place::{HIDDEN, Place, TEMPLATE, text};
use serde_json::Value;
use std::time::Duration;

#[test]
fn a_cluster_is_planned_made_changed_and_removed() {
    let place = Place::new("life");
    assert_eq!(place.wharf(&["validate"]).code, 0);
    let seen = place.wharf(&["plan", "--out", "plan.json"]);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(seen.out.contains("+ Cluster") && seen.out.contains("5 to make, 0 to change"), "{seen:?}");
    let seen = place.wharf(&["apply", "plan.json"]);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(seen.out.contains("ClusterName=jobs") && seen.err.contains("Cluster") && seen.err.contains("CREATE_COMPLETE"), "{seen:?}");

    // The kubeconfig asks this program for tokens, and the current context is not touched.
    let config = std::fs::read_to_string(place.folder.join("kubeconfig")).expect("kubeconfig");
    assert!(config.contains("https://jobs.eks.example") && config.contains("eks-jobs") && !config.contains("current-context"), "{config}");
    let seen = place.wharf(&["token", "--cluster", "jobs", "--region", "eu-central-1", "--endpoint", &place.endpoint]);
    let token: Value = serde_json::from_str(&seen.out).expect("JSON");
    assert!(token["status"]["token"].as_str().is_some_and(|token| token.starts_with("k8s-aws-v1.")), "{token}");

    place.write("cluster.json", &TEMPLATE.replace("t3.large", "t3.small"));
    let seen = place.wharf(&["plan", "--no-drift"]);
    assert!(seen.out.contains("± Nodes") && seen.out.contains("made anew") && seen.out.contains("Properties.InstanceTypes"), "{seen:?}");
    let seen = place.wharf(&["plan", "--json"]);
    let plans: Value = serde_json::from_str(&seen.out).expect("JSON");
    assert_eq!(plans["plans"][0]["drift"][0]["id"], "Nodes", "{plans}");
    let seen = place.wharf(&["apply"]);
    assert_eq!((seen.code, seen.err.contains("--yes")), (2, true), "{seen:?}");
    assert_eq!(place.wharf(&["apply", "--yes"]).code, 0);
    let seen = place.wharf(&["apply", "--yes"]);
    assert!(seen.out.contains("nothing changes"), "{seen:?}");
    let seen = place.wharf(&["apply", "plan.json"]);
    assert_eq!((seen.code, seen.err.contains("infra plan")), (3, true), "a plan of before is refused: {seen:?}");

    let seen = place.wharf(&["destroy", "--yes"]);
    assert_eq!((seen.code, seen.err.contains("kept on purpose: Logs")), (0, true), "{seen:?}");
    let seen = place.wharf(&["destroy", "--yes"]);
    assert_eq!((seen.code, seen.err.contains("`jobs-cluster-Logs` has its tags")), (0, true), "{seen:?}");
    place.told_no_secret();
}

/// Both environments call it the same: neither changes nor removes what is the other's.
#[test]
fn an_environment_leaves_the_stack_of_another_alone() {
    let place = Place::new("owner");
    place.more("environments: { prod: {}, staging: {} }\n");
    assert_eq!(place.wharf(&["apply", "--yes", "--env", "prod"]).code, 0);
    let tags = |place: &Place| place.fake.with(|state| state.stacks.find("jobs-cluster").map(|stack| stack.tags.clone()));
    let of_prod = tags(&place);
    for words in [&["plan"] as &[&str], &["apply", "--yes"], &["destroy", "--yes"]] {
        let seen = place.wharf(&[words, &["--env", "staging"]].concat());
        assert_eq!((seen.code, seen.err.contains("is `prod`, not `staging`")), (3, true), "{words:?}: {seen:?}");
        assert!(seen.err.contains("--take-over") && seen.err.contains("infra.cluster.stack"), "{words:?}: {seen:?}");
    }
    assert_eq!((tags(&place), place.fake.count("DeleteStack"), place.fake.count("ExecuteChangeSet")), (of_prod, 0, 1));

    let seen = place.wharf(&["plan", "--env", "staging", "--take-over", "--out", "plan.json", "--no-drift"]);
    assert_eq!((seen.code, seen.out.contains("this plan takes it over")), (0, true), "{seen:?}");
    assert_eq!(place.wharf(&["apply", "plan.json", "--env", "staging"]).code, 0, "the plan says it itself");
    assert_eq!(place.wharf(&["destroy", "--yes", "--env", "prod"]).code, 3, "prod has lost it");
    assert_eq!(place.wharf(&["destroy", "--yes", "--env", "staging"]).code, 0);
    place.told_no_secret();
}

/// The cloud says secrets back: in outputs, whatever `NoEcho` says, in reasons, in own names, in what was changed beside the template.
#[test]
fn secrets_that_the_cloud_says_back_are_in_no_output() {
    let place = Place::new("secrets");
    let url = format!("postgres://u:{HIDDEN}@db");
    place.write("cluster.json", &TEMPLATE.replace("\"Outputs\": {", &format!("\"Outputs\": {{\"Url\": {{\"Value\": \"{url}\"}}, ")));
    place.fake.with(|state| state.stacks.actual = Some(format!("password={HIDDEN}")));
    for words in [
        &["apply", "--yes"] as &[&str],
        &["apply", "--yes", "--json"],
        &["output"],
        &["output", "--json"],
        &["plan"],
        &["plan", "--json"],
        &["output", "--kubeconfig"],
    ] {
        let seen = place.wharf(words);
        assert_eq!(seen.code, 0, "{words:?}: {seen:?}");
        if !words.contains(&"--kubeconfig") {
            assert!(seen.out.contains("***"), "{words:?}: {seen:?}");
        }
    }
    place.told_no_secret();
    // By its name it is asked for on purpose.
    let asked = place.command(&["output", "Url"]).output().expect("it runs");
    assert_eq!(text(&asked.stdout).trim(), url);
}

#[test]
fn a_plan_is_saved_whatever_can_be_told_of_drift() {
    let place = Place::new("drift");
    assert_eq!(place.wharf(&["apply", "--yes"]).code, 0);
    place.fake.with(|state| state.stacks.detection = cloud::fake::Detection::Refused);
    place.write("cluster.json", &TEMPLATE.replace("t3.large", "t3.small"));
    let seen = place.wharf(&["plan", "--out", "plan.json", "--json"]);
    assert_eq!((seen.code, seen.err.contains("cannot be told")), (0, true), "{seen:?}");
    let line = seen.out.lines().find(|line| line.contains("\"plans\"")).expect("plans");
    let plans: Value = serde_json::from_str(line).expect("JSON");
    assert!(plans["plans"][0]["drift"].is_null() && plans["plans"][0]["plan"]["changes"].is_array(), "not told is not none: {plans}");
    let seen = place.wharf(&["apply", "plan.json"]);
    assert_eq!(seen.code, 0, "{seen:?}");
}

/// A job that only deploys has neither the template nor the values that the plan was made from.
#[test]
fn a_saved_plan_needs_neither_template_nor_secrets() {
    let place = Place::new("saved");
    place
        .write("cluster.json", &TEMPLATE.replace("\"Outputs\": {", &format!("\"Outputs\": {{\"Url\": {{\"Value\": \"u:{HIDDEN}@db\"}}, ")));
    assert_eq!(place.wharf(&["plan", "--out", "plan.json"]).code, 0);
    std::fs::remove_file(place.folder.join("cluster.json")).expect("removed");
    for words in [&["apply", "plan.json"] as &[&str], &["apply", "plan.json", "--json"]] {
        let done = place.command(words).env_remove("TEST_PASSWORD").output().expect("it runs");
        let (out, err) = (text(&done.stdout), text(&done.stderr));
        assert_eq!(done.status.code(), Some(0), "{out}{err}");
        // It cannot be looked for, so nothing is shown.
        assert!(out.contains("***") && !out.contains(HIDDEN) && !err.contains(HIDDEN), "{out}{err}");
    }
    assert_eq!(place.wharf(&["apply", "--yes"]).code, 2, "without a plan it is wanted");
}

#[test]
fn programs_are_told_whether_what_stood_before_stands_again() {
    let place = Place::new("back");
    assert_eq!(place.wharf(&["apply", "--yes"]).code, 0);
    place.fake.with(|state| state.stacks.failing.insert("Nodes".to_owned(), 1));
    place.write("cluster.json", &TEMPLATE.replace("t3.large", "t3.small"));
    let failed = |seen: &place::Seen| {
        let line = seen.out.lines().find(|line| line.contains("\"failed\":")).unwrap_or_else(|| panic!("{seen:?}"));
        serde_json::from_str::<Value>(line).expect("JSON")["failed"].clone()
    };
    let seen = place.wharf(&["apply", "--yes", "--json"]);
    assert_eq!((seen.code, failed(&seen)["rolled_back"].as_bool()), (3, Some(true)), "{seen:?}");
    place.fake.with(|state| state.stacks.stuck.insert("Net".to_owned(), 9));
    let seen = place.wharf(&["destroy", "--yes", "--json"]);
    assert_eq!((seen.code, failed(&seen)["rolled_back"].as_bool()), (3, Some(false)), "{seen:?}");
}

/// `AWS_PROFILE=x wharf infra apply`, and kubectl without it.
#[test]
fn the_kubeconfig_names_the_profile_and_the_endpoint_that_were_used() {
    let place = Place::new("profile");
    let settings = std::fs::read_to_string(place.folder.join("wharf.yaml")).expect("settings");
    place.write("wharf.yaml", &settings.replace(&format!("endpoint: \"{}\", ", place.endpoint), ""));
    place.write(
        "profiles",
        &format!("[x]\naws_access_key_id = {}\naws_secret_access_key = {}\n", cloud::fake::ACCESS_KEY, cloud::fake::SECRET),
    );
    let run = |keys: bool| {
        let mut command = place.command(&["apply", "--yes"]);
        command.env("AWS_PROFILE", "x").env("AWS_SHARED_CREDENTIALS_FILE", "profiles").env("AWS_ENDPOINT_URL", &place.endpoint);
        if !keys {
            command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        }
        let done = command.output().expect("it runs");
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
        std::fs::read_to_string(place.folder.join("kubeconfig")).expect("kubeconfig")
    };
    let config = run(false);
    let profiles = place.folder.join("profiles").display().to_string();
    assert!(config.contains("--profile") && config.contains(&place.endpoint) && config.contains(&profiles), "{config}");
    assert!(!run(true).contains("--profile"), "keys of the environment go before a profile that it names");
    place.told_no_secret();
}

#[test]
fn a_killed_run_is_taken_up_by_the_next() {
    let place = Place::new("killed");
    let mut first = place.command(&["apply", "--yes"]).spawn().expect("it runs");
    while place.fake.count("ExecuteChangeSet") == 0 {
        assert!(first.try_wait().expect("asked").is_none(), "it ended before anything was carried out");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().and_then(|()| first.wait()).expect("killed");
    let seen = place.wharf(&["apply", "--yes"]);
    assert_eq!(seen.code, 0, "{seen:?}");
    assert!(seen.out.contains("nothing changes"), "what it followed was what it wanted: {seen:?}");
    let operations = place.fake.with(|state| state.stacks.operations.len());
    assert_eq!(operations, 1, "made once");
}

#[test]
fn what_fails_is_told_with_its_cause_first() {
    let place = Place::new("fails");
    place.fake.with(|state| state.stacks.failing.insert("Cluster".to_owned(), 1));
    let seen = place.wharf(&["apply", "--yes"]);
    assert_eq!(seen.code, 3, "{seen:?}");
    assert!(seen.err.contains("ROLLBACK_COMPLETE") && seen.err.contains("no capacity"), "{seen:?}");
    let seen = place.wharf(&["plan"]);
    assert_eq!((seen.code, seen.err.contains("settles it first")), (3, true), "{seen:?}");
    assert_eq!(place.wharf(&["apply", "--yes"]).code, 0);
    place.write("cluster.json", &TEMPLATE.replace("\"DependsOn\": \"Net\"", "\"DependsOn\": \"Nett\""));
    let seen = place.wharf(&["validate", "--offline"]);
    assert_eq!((seen.code, seen.err.contains("cluster.json:4:") && seen.err.contains("did you mean `Net`?")), (1, true), "{seen:?}");
    place.told_no_secret();
}

#[test]
fn moto_agrees_where_it_is_installed() {
    let Some(moto) = place::Moto::start() else {
        println!("skipped: moto_server (pip install 'moto[server,cloudformation]', on the path or in WHARF_TEST_MOTO)");
        return;
    };
    let place = Place::at("moto", moto.endpoint.clone());
    place.write("cluster.json", place::PLAIN);
    place.settings("cluster.json", "");
    for (words, code, part) in [
        (&["validate"] as &[&str], 0, "is sound"),
        (&["apply", "--yes"], 0, "CREATE_COMPLETE"),
        (&["apply", "--yes"], 0, "nothing changes"),
        (&["plan", "--no-drift"], 0, "nothing changes"),
    ] {
        let seen = place.wharf(words);
        assert_eq!((seen.code, seen.both().contains(part)), (code, true), "{words:?}: {seen:?}");
    }
    place.write("cluster.json", &place::PLAIN.replace("\"A\": {", "\"C\": {\"Type\": \"AWS::SNS::Topic\"}, \"A\": {"));
    let seen = place.wharf(&["plan", "--out", "plan.json", "--no-drift"]);
    assert!(seen.out.contains("+ C"), "{seen:?}");
    assert_eq!(place.wharf(&["apply", "plan.json"]).code, 0);
    place.more("environments: { local: {}, staging: {} }\n");
    let seen = place.wharf(&["destroy", "--yes", "--env", "staging"]);
    assert_eq!((seen.code, seen.err.contains("is `local`, not `staging`")), (3, true), "{seen:?}");
    let seen = place.wharf(&["destroy", "--yes"]);
    assert_eq!((seen.code, text(seen.err.as_bytes()).contains("is gone")), (0, true), "{seen:?}");
    place.told_no_secret();
}
