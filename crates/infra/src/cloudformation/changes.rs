//! What a change set would do, read from `DescribeChangeSet`.

use crate::aws::Node;
use crate::plan::{Act, Change, Detail, Replacement};

/// Reads a page's changes; those of other things than resources, such as hooks, are none of ours.
pub(crate) fn read(answer: &Node) -> Vec<Change> {
    answer.members("Changes").filter_map(|member| member.child("ResourceChange")).map(change).collect()
}

fn change(node: &Node) -> Change {
    let act = match node.text_of("Action") {
        "Add" => Act::Add,
        "Modify" => Act::Modify,
        "Remove" => Act::Remove,
        "Import" => Act::Import,
        _ => Act::Dynamic,
    };
    let replacement = match node.text_of("Replacement") {
        "True" => Replacement::Always,
        "Conditional" => Replacement::Maybe,
        _ => Replacement::Never,
    };
    // `Delete` is what removing does anyway.
    let policy = Some(node.text_of("PolicyAction")).filter(|policy| !matches!(*policy, "Delete" | "ReplaceAndDelete"));
    Change {
        act,
        id: node.text_of("LogicalResourceId").to_owned(),
        kind: node.text_of("ResourceType").to_owned(),
        physical: node.text_of("PhysicalResourceId").to_owned(),
        replacement,
        policy: policy.unwrap_or_default().to_owned(),
        details: details(node),
    }
}

/// A part may be told twice: once as the template has it, once as it follows from another resource.
fn details(node: &Node) -> Vec<Detail> {
    let mut all: Vec<Detail> = Vec::new();
    for member in node.members("Details") {
        let Some(target) = member.child("Target") else { continue };
        let (attribute, name) = (target.text_of("Attribute"), target.text_of("Name"));
        let field = if name.is_empty() { attribute.to_owned() } else { format!("{attribute}.{name}") };
        let replacement = match target.text_of("RequiresRecreation") {
            "Always" => Replacement::Always,
            "Conditionally" => Replacement::Maybe,
            _ => Replacement::Never,
        };
        let cause = member.text_of("CausingEntity").to_owned();
        match all.iter_mut().find(|known| known.field == field) {
            Some(known) if known.cause.is_empty() => known.cause = cause,
            Some(_) => {}
            None => all.push(Detail { field, replacement, cause }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_replaced_and_why() {
        let text = br"<R><Changes><member><Type>Resource</Type><ResourceChange><Action>Modify</Action><LogicalResourceId>Nodes</LogicalResourceId>
            <PhysicalResourceId>p</PhysicalResourceId><ResourceType>AWS::EKS::Nodegroup</ResourceType><Replacement>True</Replacement><Details>
            <member><Target><Attribute>Properties</Attribute><Name>InstanceTypes</Name><RequiresRecreation>Always</RequiresRecreation></Target>
            <Evaluation>Static</Evaluation><ChangeSource>DirectModification</ChangeSource></member>
            <member><Target><Attribute>Properties</Attribute><Name>InstanceTypes</Name><RequiresRecreation>Always</RequiresRecreation></Target>
            <ChangeSource>ParameterReference</ChangeSource><CausingEntity>Size</CausingEntity></member>
            <member><Target><Attribute>Tags</Attribute><RequiresRecreation>Never</RequiresRecreation></Target></member>
            </Details></ResourceChange></member><member><Type>Hook</Type></member></Changes></R>";
        let changes = read(&crate::aws::parse_xml(text).expect("xml"));
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!((change.act, change.replacement, change.id.as_str()), (Act::Modify, Replacement::Always, "Nodes"));
        let fields: Vec<_> = change.details.iter().map(|detail| (detail.field.as_str(), detail.cause.as_str())).collect();
        assert_eq!(fields, [("Properties.InstanceTypes", "Size"), ("Tags", "")]);
    }
}
