//! Images of this machine's store: their names, layers and history.

use super::moment;
use blobs::{BlobError, Store};
use dashboard::{Image, ImageBrief, Layer, SourceError};

/// All images, those with names first.
///
/// # Errors
/// When the store cannot be read.
pub fn images(store: &Store) -> Result<Vec<ImageBrief>, SourceError> {
    let listed = store.images().list().map_err(|error| failed(&error))?;
    let mut briefs: Vec<ImageBrief> = listed
        .into_iter()
        .map(|image| ImageBrief {
            id: image.id.to_string(),
            names: image.references.iter().map(ToString::to_string).collect(),
            bytes: image.size,
            // Builds that can be repeated have the same time always, which tells nothing.
            created: image.created.as_deref().map(moment).filter(|created| created.seconds() > 86_400 * 3_660),
        })
        .collect();
    briefs.sort_by_key(|image| (image.names.is_empty(), image.names.clone(), image.id.clone()));
    Ok(briefs)
}

/// An image by its id: its layers from the bottom up, each with the instruction that made it.
///
/// # Errors
/// When it is not there, or cannot be read.
pub fn image(store: &Store, id: &str) -> Result<Image, SourceError> {
    let brief = images(store)?.into_iter().find(|image| image.id == id).ok_or_else(|| SourceError::Missing(format!("image {id}")))?;
    let found = store.images().resolve(id).map_err(|error| failed(&error))?;
    let (mut layers, mut settings) = (Vec::new(), Vec::new());
    let mut rest = found.layers.iter();
    for (step, layer) in store.images().history(id).map_err(|error| failed(&error))? {
        let instruction = step.created_by.unwrap_or_default();
        match layer {
            Some(layer) => {
                rest.next();
                layers.push(of_layer(store, &layer, instruction));
            }
            None => settings.push(instruction),
        }
    }
    // A history may be shorter than the layers are many.
    layers.extend(rest.map(|layer| of_layer(store, layer, String::new())));
    let inventory = crate::scan::kept(store, id);
    let os = inventory.as_ref().and_then(|inventory| inventory.os.as_ref());
    Ok(Image {
        brief,
        os: os.map(|os| if os.name.is_empty() { format!("{} {}", os.id, os.version) } else { os.name.clone() }),
        platform: format!("{}/{}", found.config.os, found.config.architecture),
        settings,
        layers,
        packages: inventory.map(|inventory| inventory.packages).unwrap_or_default(),
        findings: Vec::new(),
        scanned: None,
    })
}

fn of_layer(store: &Store, layer: &oci::DiffId, instruction: String) -> Layer {
    let bytes = store.layers().meta(layer).map_or(0, |meta| meta.size);
    Layer { id: layer.to_string(), bytes, instruction }
}

fn failed(error: &BlobError) -> SourceError {
    SourceError::Failed(error.to_string())
}
