//! Volumes on this machine's own disk, in a folder of the test's own.

use super::*;
use crate::testing::World;
use k8s::kinds::{CONFIG_MAP, PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, SECRET};
use serde_json::json;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;

fn pod(extra: Value, volumes: Value) -> Pod {
    let mut spec = json!({"containers": [{"name": "c", "image": "i"}], "volumes": volumes});
    spec.as_object_mut().expect("object").extend(extra.as_object().cloned().unwrap_or_default());
    let metadata = json!({"namespace": "n", "name": "p", "uid": "u", "labels": {"a": "b"}});
    Pod::of(Arc::new(json!({"metadata": metadata, "spec": spec})))
}

async fn made(world: &World, pod: &Pod, cache: &mut TokenCache) -> Result<Prepared, String> {
    let context = Context { pod, cluster: &*world.cluster, node: &world.config, ip: None };
    prepare(context, cache, base::Clock::now(&base::SystemClock)).await.map(|(prepared, _)| prepared)
}

async fn volume(world: &World, pod: &Pod) -> Result<Volume, String> {
    Ok(made(world, pod, &mut TokenCache::default()).await?["v"].clone())
}

fn read(volume: &Volume, path: &str) -> String {
    fs::read_to_string(volume.path.join(path)).unwrap_or_else(|error| format!("{path}: {error}"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

/// Whether this process may mount; says so when it may not.
fn may_mount() -> bool {
    let folder = crate::testing::home();
    fs::create_dir_all(&folder).expect("made");
    let may = tmpfs::ensure(&folder, None, 0o755).is_ok();
    let _ = unmount_below(&folder);
    let _ = fs::remove_dir(&folder);
    if !may {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: the right to mount");
    }
    may
}

#[tokio::test]
async fn a_config_map_is_files_that_change_all_at_once() {
    let world = World::new();
    let pod = pod(json!({}), json!([{"name": "v", "configMap": {"name": "m", "defaultMode": 256}}]));
    let map = |data: Value| drop(world.cluster.put(CONFIG_MAP, json!({"metadata": {"namespace": "n", "name": "m"}, "data": data})));
    map(json!({"a": "1", "b": "2"}));
    let first = volume(&world, &pod).await.expect("made");
    assert_eq!((read(&first, "a"), read(&first, "b")), ("1".into(), "2".into()));
    assert_eq!(mode(&first.path.join("a")), 0o400);
    assert!(first.read_only);
    assert_eq!(fs::read_link(first.path.join("a")).expect("a link"), Path::new("..data/a"));
    let version = fs::read_link(first.path.join("..data")).expect("a link");
    volume(&world, &pod).await.expect("again");
    assert_eq!(fs::read_link(first.path.join("..data")).expect("a link"), version, "nothing changed, nothing is touched");
    map(json!({"a": "3", "c": "4"}));
    volume(&world, &pod).await.expect("again");
    assert_eq!((read(&first, "a"), read(&first, "c")), ("3".into(), "4".into()));
    assert!(!first.path.join("b").exists() && fs::symlink_metadata(first.path.join("b")).is_err());
    let names: Vec<_> = fs::read_dir(&first.path).expect("listed").flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names.len(), 4, "two links, one version, one pointer: {names:?}");
}

#[tokio::test]
async fn items_choose_and_missing_ones_are_named() {
    let world = World::new();
    world.cluster.put(CONFIG_MAP, json!({"metadata": {"namespace": "n", "name": "m"}, "data": {"a": "1"}, "binaryData": {"z": "AAE="}}));
    let with = |source: Value| pod(json!({}), json!([{"name": "v", "configMap": source}]));
    let chosen = with(json!({"name": "m", "items": [{"key": "a", "path": "x/y/a", "mode": 0o640}, {"key": "z", "path": "x/z"}]}));
    let volume_ = volume(&world, &chosen).await.expect("made");
    assert_eq!(read(&volume_, "x/y/a"), "1");
    assert_eq!(mode(&volume_.path.join("x/y/a")), 0o640);
    assert_eq!(fs::read(volume_.path.join("x/z")).expect("there"), [0, 1]);
    for (source, why) in [
        (json!({"name": "m", "items": [{"key": "no", "path": "a"}]}), "references non-existent config key: no"),
        (json!({"name": "no"}), "configmap \"no\" not found"),
        (json!({"name": "m", "items": [{"key": "a", "path": "../a"}]}), "must be relative and must not contain '..'"),
        (json!({"name": "m", "items": [{"key": "a", "path": "/a"}]}), "must be relative"),
    ] {
        let told = volume(&world, &with(source)).await.expect_err(why);
        assert!(told.starts_with("MountVolume.SetUp failed for volume \"v\" : ") && told.contains(why), "{told}");
    }
    let optional = with(json!({"name": "no", "optional": true}));
    assert!(volume(&world, &optional).await.is_ok());
}

#[tokio::test]
async fn secrets_tokens_and_the_pods_own_fields_are_in_memory() {
    if !may_mount() {
        return;
    }
    let world = World::new();
    world.cluster.put(SECRET, json!({"metadata": {"namespace": "n", "name": "s"}, "data": {"k": "djE="}}));
    let sources = json!([
        {"secret": {"name": "s", "items": [{"key": "k", "path": "key"}]}},
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 600, "audience": "x"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}},
            {"path": "limit", "resourceFieldRef": {"containerName": "c", "resource": "limits.memory", "divisor": "1Mi"}}]}},
    ]);
    let pod = pod(
        json!({"serviceAccountName": "sa", "securityContext": {"runAsUser": 1000}}),
        json!([{"name": "v", "projected": {"sources": sources}}]),
    );
    let mut cache = TokenCache::default();
    let volume = made(&world, &pod, &mut cache).await.expect("made")["v"].clone();
    assert_eq!((read(&volume, "key"), read(&volume, "token")), ("v1".into(), "token-1".into()));
    assert_eq!(read(&volume, "labels"), "a=\"b\"");
    assert_eq!(read(&volume, "limit"), (7 << 10).to_string(), "what the node can give");
    let token = fs::metadata(volume.path.join("token")).expect("there");
    assert_eq!((token.uid(), token.permissions().mode() & 0o777), (1000, 0o600));
    let asked = world.cluster.tokens.lock().expect("whole")[0].clone();
    assert_eq!((asked.service_account.as_str(), asked.audiences, asked.expiration_seconds), ("sa", vec!["x".to_owned()], 600));
    let table = fs::read_to_string("/proc/self/mountinfo").expect("read");
    let line = table.lines().find(|line| line.contains(volume.path.to_str().expect("text"))).expect("mounted");
    assert!(line.contains(" - tmpfs "), "{line}");
    // Good tokens are kept; one whose time has come is made anew.
    made(&world, &pod, &mut cache).await.expect("again");
    assert_eq!(world.cluster.tokens.lock().expect("whole").len(), 1);
    let late = cache.renew_at().expect("some").plus(std::time::Duration::from_secs(1));
    let context = Context { pod: &pod, cluster: &*world.cluster, node: &world.config, ip: None };
    prepare(context, &mut cache, late).await.expect("again");
    assert_eq!(read(&volume, "token"), "token-2");
}

#[tokio::test]
async fn empty_dirs_keep_what_is_in_them_and_know_their_size() {
    if !may_mount() {
        return;
    }
    let world = World::new();
    let pod = pod(json!({}), json!([{"name": "v", "emptyDir": {}}, {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]));
    let mut cache = TokenCache::default();
    let volumes = made(&world, &pod, &mut cache).await.expect("made");
    for name in ["v", "m"] {
        assert_eq!(mode(&volumes[name].path), 0o777, "{name}");
        fs::write(volumes[name].path.join("kept"), "x").expect("written");
    }
    made(&world, &pod, &mut cache).await.expect("again");
    assert!(["v", "m"].iter().all(|name| volumes[*name].path.join("kept").exists()));
    assert!(fs::write(volumes["m"].path.join("big"), vec![0; 2 << 20]).is_err(), "past its limit");
    unmount_below(&world.config.home).expect("unmounted");
    assert!(!volumes["m"].path.join("kept").exists());
}

#[tokio::test]
async fn a_claim_is_its_volumes_folder_and_belongs_to_the_group() {
    let world = World::new();
    let place = world.config.home.join("data");
    fs::create_dir_all(place.join("sub")).expect("made");
    fs::write(place.join("sub/file"), "x").expect("written");
    symlink("/etc/passwd", place.join("link")).expect("linked");
    let before = fs::metadata("/etc/passwd").expect("there").gid();
    let claim =
        |phase: &str| json!({"metadata": {"namespace": "n", "name": "c"}, "spec": {"volumeName": "pv"}, "status": {"phase": phase}});
    let pod = pod(json!({"securityContext": {"fsGroup": 4242}}), json!([{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]));
    assert!(volume(&world, &pod).await.is_err_and(|why| why.contains("persistentvolumeclaim \"c\" not found")));
    world.cluster.put(PERSISTENT_VOLUME_CLAIM, claim("Pending"));
    assert!(volume(&world, &pod).await.is_err_and(|why| why.contains("is not bound yet")));
    world.cluster.put(PERSISTENT_VOLUME_CLAIM, claim("Bound"));
    world.cluster.put(PERSISTENT_VOLUME, json!({"metadata": {"name": "pv"}, "spec": {"local": {"path": place}}}));
    let volume = volume(&world, &pod).await.expect("made");
    assert_eq!(volume.path, place);
    let file = fs::metadata(place.join("sub/file")).expect("there");
    assert_eq!((file.gid(), file.mode() & 0o660), (4242, 0o660));
    let folder = fs::metadata(place.join("sub")).expect("there");
    assert_eq!((folder.gid(), folder.mode() & 0o2770), (4242, 0o2770));
    assert_eq!(fs::symlink_metadata(place.join("link")).expect("there").gid(), 4242);
    assert_eq!(fs::metadata("/etc/passwd").expect("there").gid(), before, "no link is followed");
}

#[tokio::test]
async fn host_paths_are_checked_by_type_and_unknown_kinds_are_told() {
    let world = World::new();
    let base = world.config.home.join("host");
    fs::create_dir_all(&base).expect("made");
    fs::write(base.join("file"), "x").expect("written");
    let with = |path: &str, kind: &str| pod(json!({}), json!([{"name": "v", "hostPath": {"path": base.join(path), "type": kind}}]));
    for (path, kind, right) in [
        ("", "Directory", true),
        ("file", "File", true),
        ("file", "Directory", false),
        ("none", "Directory", false),
        ("new/dir", "DirectoryOrCreate", true),
        ("made", "FileOrCreate", true),
        ("file", "Socket", false),
        ("file", "Whatever", false),
    ] {
        assert_eq!(volume(&world, &with(path, kind)).await.is_ok(), right, "{path} {kind}");
    }
    let unknown = pod(json!({}), json!([{"name": "v", "nfs": {"server": "x", "path": "/"}}]));
    let told = volume(&world, &unknown).await.expect_err("unknown");
    assert!(told.ends_with("volumes of kind nfs are not supported by this node"), "{told}");
}

#[test]
fn sub_paths_are_made_and_never_leave_their_volume() {
    let world = World::new();
    let base = world.config.home.join("volume");
    fs::create_dir_all(&base).expect("made");
    fs::set_permissions(&base, PermissionsExt::from_mode(0o777)).expect("set");
    make_below(&base, "a/b/c", true).expect("made");
    assert_eq!(mode(&base.join("a/b")), 0o777, "as the volume itself");
    make_below(&base, "a/b/c", true).expect("again");
    fs::write(base.join("file"), "x").expect("written");
    make_below(&base, "file", true).expect("a file is fine");
    symlink("a/b", base.join("inner")).expect("linked");
    make_below(&base, "inner/c", true).expect("a link that stays inside");
    assert!(make_below(&base, "none", false).is_err());
    // CVE-2017-1002101, CVE-2021-25741: links that a container planted.
    for target in ["/etc", "../..", "/proc/self/root"] {
        let link = base.join("evil");
        let _ = fs::remove_file(&link);
        symlink(target, &link).expect("linked");
        assert!(make_below(&base, "evil", true).is_err(), "{target}");
        assert!(make_below(&base, "evil/wharf-escaped", true).is_err(), "{target}");
        assert!(!Path::new("/etc/wharf-escaped").exists());
    }
}
