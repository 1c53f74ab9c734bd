//! The protocol: forms in, XML out; JSON of EKS and of tags.

use super::State;
use super::identity;
use super::sets::ChangeSet;
use super::stacks::{Detection, Stack};
use super::template::Template;
use infra::aws::{Answer, Request};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Form = BTreeMap<String, String>;

pub fn refusal(code: &str, message: &str, status: u16) -> Answer {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>req-1</RequestId></ErrorResponse>",
        escaped(message)
    );
    Answer { status, body: body.into_bytes(), ..Answer::default() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn xml(action: &str, inner: &str) -> Answer {
    let body = format!("<{action}Response><{action}Result>{inner}</{action}Result><ResponseMetadata/></{action}Response>");
    Answer { status: 200, body: body.into_bytes(), ..Answer::default() }
}

fn tag(name: &str, value: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(value))
}

fn when(micros: i64) -> String {
    base::Timestamp::from_micros(micros).rfc3339_micros()
}

/// The action's name and its answer.
pub fn answer(state: &mut State, request: &Request, now: i64) -> (String, Answer) {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let form: Form = body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect();
    let action = form.get("Action").cloned();
    if action.as_deref() == Some("AssumeRoleWithWebIdentity") {
        let unsigned = !request.headers.iter().any(|(name, _)| name == "authorization");
        assert!(unsigned, "a call with a token of its own is not signed");
        return ("AssumeRoleWithWebIdentity".to_owned(), credentials("AssumeRoleWithWebIdentity"));
    }
    let service = match identity::check(request, now) {
        Ok(service) => service,
        Err((code, message)) => return (format!("refused {code}"), refusal(code, &message, 403)),
    };
    match (service.as_str(), action) {
        ("cloudformation", Some(action)) => {
            let answer = cloudformation(state, &action, &form, now).unwrap_or_else(|answer| answer);
            (action, answer)
        }
        ("sts", Some(action)) => (action.clone(), credentials(&action)),
        ("eks", None) => ("DescribeCluster".to_owned(), cluster(state, &request.url.path)),
        ("tagging", None) => ("GetResources".to_owned(), tagged(state, &request.body)),
        (service, action) => ("unknown".to_owned(), refusal("InvalidAction", &format!("{service} {action:?}"), 400)),
    }
}

fn credentials(action: &str) -> Answer {
    let keys =
        [tag("AccessKeyId", identity::ACCESS_KEY), tag("SecretAccessKey", identity::SECRET), tag("Expiration", "2030-01-01T00:00:00Z")];
    xml(action, &format!("<Credentials>{}</Credentials>", keys.concat()))
}

fn cluster(state: &mut State, path: &str) -> Answer {
    let name = path.strip_prefix("/clusters/").unwrap_or_default();
    let found = state.stacks.all.iter().flat_map(|stack| {
        let clusters = stack.template.resources.iter().filter(|(_, resource)| resource["Type"] == "AWS::EKS::Cluster");
        clusters.filter(|(id, _)| stack.resources.contains_key(*id)).filter_map(|(_, resource)| resource["Properties"]["Name"].as_str())
    });
    let body = if found.clone().any(|known| known == name) {
        json!({"cluster": {"name": name, "status": "ACTIVE", "endpoint": format!("https://{name}.eks.example"),
            "certificateAuthority": {"data": "LS0t"}}})
    } else {
        json!({"message": format!("No cluster found for name: {name}."), "__type": "ResourceNotFoundException"})
    };
    let status = if body["cluster"].is_object() { 200 } else { 404 };
    Answer { status, body: body.to_string().into_bytes(), ..Answer::default() }
}

fn tagged(state: &State, body: &[u8]) -> Answer {
    let asked: Value = serde_json::from_slice(body).expect("json");
    let filters = asked["TagFilters"].as_array().cloned().unwrap_or_default();
    let matches = |stack: &&Stack| {
        filters.iter().all(|filter| {
            let value = filter["Key"].as_str().and_then(|key| stack.tags.get(key));
            value.map(String::as_str) == filter["Values"][0].as_str()
        })
    };
    let stacks = state.stacks.all.iter().filter(matches);
    let all: Vec<Value> =
        stacks.flat_map(|stack| stack.resources.values()).map(|resource| json!({"ResourceARN": resource.physical})).collect();
    // Pages of two, so that pages are turned.
    let from: usize = asked["PaginationToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
    let next = if from + 2 < all.len() { (from + 2).to_string() } else { String::new() };
    let page: Vec<Value> = all.into_iter().skip(from).take(2).collect();
    let body = json!({"ResourceTagMappingList": page, "PaginationToken": next});
    Answer { status: 200, body: body.to_string().into_bytes(), ..Answer::default() }
}

fn listed(form: &Form, name: &str) -> Vec<String> {
    (1..).map_while(|number| form.get(&format!("{name}.{number}")).cloned()).collect()
}

fn cloudformation(state: &mut State, action: &str, form: &Form, now: i64) -> Result<Answer, Answer> {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let name = text("StackName");
    let missing = |name: &str| refusal("ValidationError", &format!("Stack with id {name} does not exist"), 400);
    let stacks = &mut state.stacks;
    match action {
        "DescribeStacks" => {
            let stack = stacks.find(&name).ok_or_else(|| missing(&name))?;
            Ok(xml(action, &format!("<Stacks><member>{}</member></Stacks>", described(stack))))
        }
        "DescribeStackEvents" => {
            let stack = stacks.find(&name).ok_or_else(|| missing(&name))?;
            Ok(events(action, stack, &text("NextToken")))
        }
        "ListStackResources" => {
            let stack = stacks.find(&name).ok_or_else(|| missing(&name))?;
            let member = |(id, resource): (&String, &super::stacks::Resource)| {
                let parts =
                    [tag("LogicalResourceId", id), tag("PhysicalResourceId", &resource.physical), tag("ResourceType", &resource.kind)];
                format!("<member>{}{}</member>", parts.concat(), tag("ResourceStatus", &resource.status))
            };
            Ok(xml(
                action,
                &format!("<StackResourceSummaries>{}</StackResourceSummaries>", stack.resources.iter().map(member).collect::<String>()),
            ))
        }
        "ValidateTemplate" => match Template::parse(&text("TemplateBody")) {
            Some(_) => Ok(xml(action, "")),
            None => Err(refusal("ValidationError", "Template format error: unsupported structure.", 400)),
        },
        "CreateChangeSet" => create_change_set(state, form, now),
        action if action.ends_with("ChangeSet") => set_call(state, action, form, now),
        "ContinueUpdateRollback" => {
            let stack = stacks.find(&name).ok_or_else(|| missing(&name))?;
            if stack.status != "UPDATE_ROLLBACK_FAILED" {
                let message = format!("Stack:{} is in {} state and can not continue rollback", stack.id, stack.status);
                return Err(refusal("ValidationError", &message, 400));
            }
            stacks.go_on(&name, &text("ClientRequestToken"), &listed(form, "ResourcesToSkip.member"), now);
            Ok(xml(action, ""))
        }
        "DeleteStack" => delete(state, form, now),
        "DetectStackDrift" if stacks.detection == Detection::Refused => Err(refusal("ValidationError", "not now", 400)),
        "DetectStackDrift" => Ok(xml(action, &tag("StackDriftDetectionId", "d1"))),
        "DescribeStackDriftDetectionStatus" if stacks.detection == Detection::Endless => {
            Ok(xml(action, &tag("DetectionStatus", "DETECTION_IN_PROGRESS")))
        }
        "DescribeStackDriftDetectionStatus" => Ok(xml(action, &tag("DetectionStatus", "DETECTION_COMPLETE"))),
        "DescribeStackResourceDrifts" => {
            let actual = stacks.actual.as_deref().unwrap_or("t3.small");
            let parts = [tag("PropertyPath", "/InstanceTypes/0"), tag("ExpectedValue", "t3.large"), tag("ActualValue", actual)];
            let difference = format!("<member>{}</member>", parts.concat());
            let parts = [
                tag("LogicalResourceId", "Nodes"),
                tag("ResourceType", "AWS::EKS::Nodegroup"),
                tag("StackResourceDriftStatus", "MODIFIED"),
            ];
            Ok(xml(
                action,
                &format!(
                    "<StackResourceDrifts><member>{}<PropertyDifferences>{difference}</PropertyDifferences></member></StackResourceDrifts>",
                    parts.concat()
                ),
            ))
        }
        _ => Err(refusal("InvalidAction", action, 400)),
    }
}

fn set_call(state: &mut State, action: &str, form: &Form, now: i64) -> Result<Answer, Answer> {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let no_set = || refusal("ChangeSetNotFound", "ChangeSet does not exist", 404);
    let stacks = &mut state.stacks;
    match action {
        "DescribeChangeSet" => {
            let stack = form.get("StackName").map(String::as_str);
            let set = stacks.set(&text("ChangeSetName"), stack).cloned().ok_or_else(no_set)?;
            Ok(change_set(action, &set, &text("NextToken")))
        }
        "DeleteChangeSet" => {
            let set = stacks.set(&text("ChangeSetName"), None).cloned().ok_or_else(no_set)?;
            if set.execution == "EXECUTE_IN_PROGRESS" {
                return Err(refusal("InvalidChangeSetStatus", "cannot be deleted in its current execution status", 400));
            }
            stacks.sets.retain(|known| known.id != set.id);
            Ok(xml(action, ""))
        }
        "ExecuteChangeSet" => {
            let set = stacks.set(&text("ChangeSetName"), None).cloned().ok_or_else(no_set)?;
            let busy = stacks.find(&set.stack).is_none_or(|stack| stack.is_busy());
            if set.execution != "AVAILABLE" || busy {
                let message = format!("ChangeSet [{}] cannot be executed in its current status of [{}]", set.id, set.execution);
                return Err(refusal("InvalidChangeSetStatus", &message, 400));
            }
            stacks.execute(&set, &text("ClientRequestToken"), now);
            Ok(xml(action, ""))
        }
        _ => Err(refusal("InvalidAction", action, 400)),
    }
}

fn delete(state: &mut State, form: &Form, now: i64) -> Result<Answer, Answer> {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let stacks = &mut state.stacks;
    let refused = |message: String| refusal("ValidationError", &message, 400);
    // Of what is not there there is nothing to remove.
    let Some(stack) = stacks.find(&text("StackName")) else { return Ok(xml("DeleteStack", "")) };
    let (id, status) = (stack.id.clone(), stack.status.clone());
    if stack.protected {
        return Err(refused(format!("Stack [{id}] cannot be deleted while TerminationProtection is enabled")));
    }
    if status == "DELETE_IN_PROGRESS" || status == "DELETE_COMPLETE" {
        return Ok(xml("DeleteStack", ""));
    }
    if stack.is_busy() && status != "CREATE_IN_PROGRESS" {
        return Err(refused(format!("Stack:{id} is in {status} state and can not be deleted")));
    }
    let retain = listed(form, "RetainResources.member");
    if !retain.is_empty() && status != "DELETE_FAILED" {
        return Err(refused("Invalid operation on stack. RetainResources can only be used in DELETE_FAILED".to_owned()));
    }
    stacks.delete(&id, &text("ClientRequestToken"), &retain, now);
    Ok(xml("DeleteStack", ""))
}

fn create_change_set(state: &mut State, form: &Form, now: i64) -> Result<Answer, Answer> {
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let refused = |message: &str| refusal("ValidationError", message, 400);
    let name = text("StackName");
    let template = Template::parse(&text("TemplateBody")).ok_or_else(|| refused("Template format error: JSON not well-formed."))?;
    let tags = (1..)
        .map_while(|number| Some((form.get(&format!("Tags.member.{number}.Key"))?.clone(), text(&format!("Tags.member.{number}.Value")))));
    let tags: BTreeMap<String, String> = tags.collect();
    assert_eq!(tags.len(), 3, "every stack carries our tags");
    let kinds = template.resources.values().filter_map(|resource| resource["Type"].as_str());
    if kinds.into_iter().any(|kind| kind.starts_with("AWS::IAM::")) && text("Capabilities.member.1") != "CAPABILITY_NAMED_IAM" {
        return Err(refusal("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]", 400));
    }
    let import = (1..).map_while(|number| form.get(&format!("ResourcesToImport.member.{number}.LogicalResourceId")).cloned()).collect();
    let found = state.stacks.find(&name).map(|stack| (stack.id.clone(), stack.status.clone()));
    let id = match (text("ChangeSetType").as_str(), found) {
        ("CREATE", None) => state.stacks.review(&name, tags.clone(), now),
        ("CREATE", Some((id, status))) if status == "REVIEW_IN_PROGRESS" => id,
        ("CREATE", Some((id, _))) => {
            return Err(refused(&format!("Stack [{id}] already exists and cannot be created again with the changeSet")));
        }
        (_, None) => return Err(refused(&format!("Stack [{name}] does not exist"))),
        (_, Some((id, status))) => {
            let ready = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"];
            if !ready.contains(&status.as_str()) {
                return Err(refused(&format!("Stack:{id} is in {status} state and can not be updated.")));
            }
            id
        }
    };
    let set = text("ChangeSetName");
    if state.stacks.set(&set, Some(&id)).is_some() {
        return Err(refusal("AlreadyExistsException", &format!("ChangeSet {set} already exists"), 400));
    }
    state
        .tokens
        .extend(form.iter().filter(|(name, _)| !name.starts_with("Parameters") && *name != "TemplateBody").map(|(_, value)| value.clone()));
    state.stacks.add_set(&set, &id, (template, tags), import, now);
    Ok(xml("CreateChangeSet", &(tag("Id", &set) + &tag("StackId", &id))))
}

fn described(stack: &Stack) -> String {
    let mut parts = vec![
        tag("StackId", &stack.id),
        tag("StackName", &stack.name),
        tag("StackStatus", &stack.status),
        tag("StackStatusReason", &stack.reason),
        tag("CreationTime", &when(stack.created)),
        tag("EnableTerminationProtection", &stack.protected.to_string()),
    ];
    parts.extend(stack.updated.map(|at| tag("LastUpdatedTime", &when(at))));
    parts.extend(stack.deleted.map(|at| tag("DeletionTime", &when(at))));
    let outputs =
        stack.outputs.iter().map(|(key, value)| format!("<member>{}{}</member>", tag("OutputKey", key), tag("OutputValue", value)));
    parts.push(format!("<Outputs>{}</Outputs>", outputs.collect::<String>()));
    let tags = stack.tags.iter().map(|(key, value)| format!("<member>{}{}</member>", tag("Key", key), tag("Value", value)));
    parts.push(format!("<Tags>{}</Tags>", tags.collect::<String>()));
    parts.concat()
}

/// Pages of five, newest first.
fn events(action: &str, stack: &Stack, token: &str) -> Answer {
    let from: usize = token.parse().unwrap_or(0);
    let member = |event: &super::stacks::Event| {
        let parts = [
            tag("EventId", &event.key),
            tag("StackId", &stack.id),
            tag("LogicalResourceId", &event.id),
            tag("PhysicalResourceId", &event.physical),
            tag("ResourceType", &event.kind),
            tag("Timestamp", &when(event.at)),
            tag("ResourceStatus", &event.status),
            tag("ResourceStatusReason", &event.reason),
            tag("ClientRequestToken", &event.token),
        ];
        format!("<member>{}</member>", parts.concat())
    };
    let page: String = stack.events.iter().rev().skip(from).take(5).map(member).collect();
    let next = if from + 5 < stack.events.len() { tag("NextToken", &(from + 5).to_string()) } else { String::new() };
    xml(action, &format!("<StackEvents>{page}</StackEvents>{next}"))
}

/// Pages of two changes.
fn change_set(action: &str, set: &ChangeSet, token: &str) -> Answer {
    let from: usize = token.parse().unwrap_or(0);
    let change = |change: &super::template::Change| {
        let replacement =
            if change.action == "Modify" { tag("Replacement", if change.replaces { "True" } else { "False" }) } else { String::new() };
        let detail = |field: &String| {
            let recreation = if change.replaces { "Always" } else { "Never" };
            let target = [tag("Attribute", "Properties"), tag("Name", field), tag("RequiresRecreation", recreation)].concat();
            format!("<member><Target>{target}</Target><ChangeSource>DirectModification</ChangeSource></member>")
        };
        let details: String = change.fields.iter().map(detail).collect();
        let parts = [tag("Action", change.action), tag("LogicalResourceId", &change.id), tag("ResourceType", &change.kind), replacement];
        format!("<member><Type>Resource</Type><ResourceChange>{}<Details>{details}</Details></ResourceChange></member>", parts.concat())
    };
    let page: String = set.changes.iter().skip(from).take(2).map(change).collect();
    let mut parts = vec![
        tag("ChangeSetId", &set.id),
        tag("ChangeSetName", &set.name),
        tag("StackId", &set.stack),
        tag("Status", &set.status),
        tag("ExecutionStatus", &set.execution),
        tag("StatusReason", &set.reason),
        format!("<Changes>{page}</Changes>"),
    ];
    if from + 2 < set.changes.len() {
        parts.push(tag("NextToken", &(from + 2).to_string()));
    }
    xml(action, &parts.concat())
}
