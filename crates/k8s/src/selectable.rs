//! The fields by which objects can be selected. Source: kubernetes `pkg/apis/*/v1/conversion.go` and the kinds' strategies.

use crate::Value;
use crate::kinds::{EVENT, EVENTS_EVENT, Kind, NAMESPACE, NODE, POD, SECRET, SERVICE};
use crate::labels::FieldSelector;
use crate::object::Fields;

/// By which every object can be selected.
const EVERY: [&str; 2] = ["metadata.name", "metadata.namespace"];

/// What some kinds add.
const MORE: &[(&Kind, &[&str])] = &[
    (
        POD,
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
    ),
    (NODE, &["spec.unschedulable"]),
    (NAMESPACE, &["status.phase"]),
    (SECRET, &["type"]),
    (SERVICE, &["spec.clusterIP", "spec.type"]),
    (
        EVENT,
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    (
        EVENTS_EVENT,
        &[
            "regarding.kind",
            "regarding.namespace",
            "regarding.name",
            "regarding.uid",
            "regarding.apiVersion",
            "regarding.resourceVersion",
            "regarding.fieldPath",
            "reason",
            "reportingController",
            "type",
        ],
    ),
];

/// Fields that hold a truth, which is told also where the object leaves it out.
const TRUTHS: [&str; 2] = ["spec.hostNetwork", "spec.unschedulable"];

/// Takes a selector of a kind's objects.
///
/// # Errors
/// A sentence that names the field by which they cannot be selected.
pub fn check_fields(kind: &Kind, selector: &mut FieldSelector) -> Result<(), String> {
    let more = MORE.iter().find(|(known, _)| *known == kind).map_or(&[][..], |(_, more)| *more);
    for (path, _, _) in &mut selector.terms {
        // The name that this field had before v1.
        if kind == POD && path == "spec.host" {
            "spec.nodeName".clone_into(path);
        }
        if !EVERY.contains(&path.as_str()) && !more.contains(&path.as_str()) {
            return Err(format!("field label not supported: {path}"));
        }
    }
    Ok(())
}

/// What a field of an object is selected by.
pub(crate) fn field_text(object: &Value, path: &str) -> String {
    match object.at(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        // The only field that is told by a part of it: who an event is from.
        Some(Value::Object(_)) if path == "source" => match object.text("source.component") {
            "" => object.text("reportingComponent").to_owned(),
            component => component.to_owned(),
        },
        None if path == "source" => object.text("reportingComponent").to_owned(),
        None if TRUTHS.contains(&path) => false.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn selects(kind: &Kind, selector: &str, object: &Value) -> Result<bool, String> {
        let mut selector = FieldSelector::parse(selector)?;
        check_fields(kind, &mut selector)?;
        Ok(selector.matches(object))
    }

    #[test]
    fn only_the_fields_of_the_kind_select() {
        let pod = json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n"}});
        assert_eq!(selects(POD, "spec.nodeName=n,spec.hostNetwork=false,metadata.name!=b", &pod), Ok(true));
        assert_eq!(selects(POD, "spec.host=m", &pod), Ok(false));
        assert_eq!(selects(POD, "spec.containers=x", &pod), Err("field label not supported: spec.containers".to_owned()));
        assert_eq!(selects(SERVICE, "spec.type=NodePort", &json!({"spec": {"type": "NodePort"}})), Ok(true));
        assert!(selects(SERVICE, "spec.nodeName=n", &pod).is_err());
        assert!(selects(crate::kinds::CONFIG_MAP, "data.a=b", &pod).is_err());
    }

    #[test]
    fn an_event_is_from_its_component() {
        let event = json!({"source": {"component": "kubelet"}, "involvedObject": {"kind": "Pod"}, "reportingComponent": "r"});
        assert_eq!(selects(EVENT, "source=kubelet,involvedObject.kind=Pod,reportingComponent=r", &event), Ok(true));
        assert_eq!(selects(EVENT, "source=r", &json!({"reportingComponent": "r"})), Ok(true));
        assert_eq!(selects(EVENTS_EVENT, "regarding.kind=Pod", &json!({"regarding": {"kind": "Pod"}})), Ok(true));
        assert!(selects(EVENTS_EVENT, "involvedObject.kind=Pod", &event).is_err());
    }
}
