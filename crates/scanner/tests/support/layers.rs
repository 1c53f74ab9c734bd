//! Layers and folders on the disk, made for a test and removed after it.

use blobs::{Compression, SaveFormat, Stamp, Store};
use oci::ImageConfig;
use rustix::fs::{self, FileType, Mode, XattrFlags};
use scanner::{Inventory, Target, TargetKind, Tree, inventory};
use std::path::{Path, PathBuf};

/// Below the system's folder for such things.
pub struct Temp(PathBuf);

impl Temp {
    /// A new one.
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("wharf-scanner-{}", base::ids::suffix(10)));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file of a layer.
    pub fn file(&self, layer: usize, path: &str, content: &str) {
        let place = self.place(layer, path);
        std::fs::write(place, content).expect("written");
    }

    /// Where a path of a layer is, its folder made.
    pub fn place(&self, layer: usize, path: &str) -> PathBuf {
        let place = self.0.join(layer.to_string()).join(path);
        std::fs::create_dir_all(place.parent().expect("a parent")).expect("folders");
        place
    }

    /// Hides a path of the layers below.
    pub fn hide(&self, layer: usize, path: &str) {
        fs::mknodat(fs::CWD, self.place(layer, path), FileType::CharacterDevice, Mode::empty(), 0).expect("a whiteout");
    }

    /// Hides what the layers below have in a folder.
    pub fn opaque(&self, layer: usize, path: &str) {
        let place = self.place(layer, path);
        std::fs::create_dir_all(&place).expect("a folder");
        fs::setxattr(&place, "trusted.overlay.opaque", b"y", XattrFlags::empty()).expect("marked");
    }

    /// The layers seen as one; their ids are `layer-0` and so on.
    pub fn tree(&self, layers: usize) -> Tree {
        let named: Vec<_> = (0..layers).map(|at| (format!("layer-{at}"), self.0.join(at.to_string()))).collect();
        named.iter().for_each(|(_, path)| std::fs::create_dir_all(path).expect("a folder"));
        Tree::of_layers(&named).expect("opened")
    }

    /// The layers as an image in an archive of `docker save`.
    pub fn saved(&self, layers: usize) -> PathBuf {
        let store = Store::open(&self.0.join("store")).expect("a store");
        let mut config = ImageConfig { architecture: "amd64".into(), os: "linux".into(), ..ImageConfig::default() };
        for at in 0..layers {
            let temp = store.temp().expect("a folder");
            std::fs::rename(self.0.join(at.to_string()), temp.path().join("tree")).expect("moved");
            config.rootfs.diff_ids.push(store.layers().commit(&temp, Stamp::KEEP).expect("a layer"));
        }
        let image = store.images().put(&config).expect("an image");
        let path = self.0.join("saved.tar");
        let mut out = std::fs::File::create(&path).expect("an archive");
        store.save(&[(image, vec!["app:1".parse().expect("a name")])], SaveFormat::Both, Compression::None, &mut out).expect("saved");
        path
    }

    /// What is in the layers.
    pub fn image(&self, layers: usize) -> Inventory {
        inventory(&self.tree(layers), target(TargetKind::Image))
    }

    /// What is in layer 0, taken as a folder of sources.
    pub fn sources(&self) -> Inventory {
        inventory(&Tree::of_folder(&self.0.join("0")).expect("opened"), target(TargetKind::Folder))
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A target of a kind.
pub fn target(kind: TargetKind) -> Target {
    Target { kind, name: "test".into(), id: None, layers: vec![] }
}

/// Whether this process may mark folders as the overlay file system does.
#[allow(clippy::print_stdout)]
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: not root");
    }
    root
}
