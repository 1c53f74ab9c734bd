//! Credentials that a plugin of the kubeconfig hands out, as those of the clouds do.

use super::place::Place;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A kubeconfig for the place's cluster whose user is who the plugin says.
fn kubeconfig(place: &Place, plugin: &Path) -> PathBuf {
    let cluster: serde_json::Value =
        serde_json::from_str(&place.kubectl(&["config", "view", "--raw", "--minify", "-o", "json"])).expect("JSON");
    let mut cluster = cluster;
    let user = serde_json::json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "args": ["token"],
        "env": [{"name": "PLUGIN_PROFILE", "value": "ops"}], "interactiveMode": "IfAvailable"}});
    cluster["users"][0]["user"] = user;
    let path = plugin.with_extension("kubeconfig");
    std::fs::write(&path, cluster.to_string()).expect("written");
    path
}

fn plugin(place: &Place, name: &str, script: &str) -> PathBuf {
    let path = place.home().with_file_name(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("runnable");
    path
}

/// A token from a plugin deploys; a plugin that is missing or fails is named, and no token is ever shown.
pub fn tokens(place: &Place) {
    place.kubectl(&["create", "serviceaccount", "deployer", "-n", "default"]);
    let to = ["--clusterrole", "cluster-admin", "--serviceaccount", "default:deployer"];
    place.kubectl(&[&["create", "clusterrolebinding", "deployer"], to.as_slice()].concat());
    let token = place.kubectl(&["create", "token", "deployer", "-n", "default"]).trim().to_owned();
    let asked = place.home().with_file_name("asked");
    // It expires at once, as far as the client knows, so that it is asked for again.
    let good = plugin(
        place,
        "good",
        &format!(
            "test \"$PLUGIN_PROFILE\" = ops || exit 1\necho once >> {}\nprintf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{{\"token\":\"{token}\",\"expirationTimestamp\":\"%s\"}}}}' \"$(date -u -d '+65 seconds' +%Y-%m-%dT%H:%M:%SZ)\"",
            asked.display()
        ),
    );
    let config = kubeconfig(place, &good);
    let run = |config: &Path, args: &[&str]| place.begin_with(args, config).wait_with_output().expect("ended");
    let output = run(&config, &["up", "--verbose"]);
    super::place::shown(&["up"], &output);
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    assert!(!said.contains(&token), "the token is shown");
    assert!(std::fs::read_to_string(&asked).expect("it was asked").lines().count() >= 1);
    for (name, script, code, wanted) in [
        ("fails", "echo log in with cloud login >&2; exit 3", 3, "fails`: exit status: 3"),
        ("babbles", &*format!("echo token={token}"), 3, "printed no ExecCredential"),
    ] {
        let output = run(&kubeconfig(place, &plugin(place, name, script)), &["status"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(wanted) && !said.contains(&token), "{name}: {output:?}");
    }
    let output = run(&kubeconfig(place, &place.home().with_file_name("missing")), &["status"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(5) && said.contains("missing`: No such file"), "{output:?}");
    place.kubectl(&["delete", "clusterrolebinding", "deployer"]);
    place.kubectl(&["delete", "serviceaccount", "deployer", "-n", "default"]);
}
