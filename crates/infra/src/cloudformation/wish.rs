//! All that a stack is to be, as calls want it.

use super::api::pair;
use super::owner::Owner;
use super::step::token;
use super::template::Template;
use crate::provider::Declared;

/// Tags of the stack, which the service gives to all its resources that can have any.
pub(crate) const PROJECT_TAG: &str = "wharf.local/project";
pub(crate) const NAME_TAG: &str = "wharf.local/infra";
pub(crate) const ENVIRONMENT_TAG: &str = "wharf.local/environment";

/// What is wanted.
pub(crate) struct Wish {
    pub declared: Declared,
    pub template: Template,
}

impl Wish {
    pub(crate) fn tags(&self) -> [(&'static str, &str); 3] {
        let declared = &self.declared;
        [(PROJECT_TAG, &declared.project), (NAME_TAG, &declared.name), (ENVIRONMENT_TAG, &declared.environment)]
    }

    /// Whose the stack must be.
    pub(crate) fn owner(&self) -> Owner {
        let tags = self.tags().into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Owner { tags, take_over: self.declared.take_over }
    }

    /// Of `CreateChangeSet`, without name and kind.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let declared = &self.declared;
        let mut all = vec![pair("StackName", &declared.stack), pair("TemplateBody", &declared.template)];
        let shown = declared.parameters.iter().map(|(name, value)| (name, value.as_str()));
        let hidden = declared.secrets.iter().map(|(name, value)| (name, value.reveal()));
        for (index, (name, value)) in shown.chain(hidden).enumerate() {
            all.push((format!("Parameters.member.{}.ParameterKey", index + 1), name.clone()));
            all.push((format!("Parameters.member.{}.ParameterValue", index + 1), value.to_owned()));
        }
        for (index, (key, value)) in self.tags().into_iter().enumerate() {
            all.push((format!("Tags.member.{}.Key", index + 1), key.to_owned()));
            all.push((format!("Tags.member.{}.Value", index + 1), value.to_owned()));
        }
        for (index, capability) in self.template.capabilities().into_iter().enumerate() {
            all.push((format!("Capabilities.member.{}", index + 1), capability.to_owned()));
        }
        for (index, import) in declared.imports.iter().enumerate() {
            let name = format!("ResourcesToImport.member.{}", index + 1);
            all.push((format!("{name}.LogicalResourceId"), import.id.clone()));
            all.push((format!("{name}.ResourceType"), self.template.kind_of(&import.id).unwrap_or_default().to_owned()));
            for (number, (key, value)) in import.identifier.iter().enumerate() {
                all.push((format!("{name}.ResourceIdentifier.entry.{}.key", number + 1), key.clone()));
                all.push((format!("{name}.ResourceIdentifier.entry.{}.value", number + 1), value.clone()));
            }
        }
        all.extend(declared.role.as_deref().map(|role| pair("RoleARN", role)));
        all
    }

    /// A digest of all of it but what is secret: it can be seen in a change set's name, and secrets could be guessed from it.
    pub(crate) fn digest(&self) -> String {
        let all = self.parameters();
        let is_secret = |value: &str| self.declared.secrets.values().any(|secret| secret.reveal() == value);
        let shown = all.iter().filter(|(name, value)| !(name.ends_with(".ParameterValue") && is_secret(value)));
        let parts: Vec<&str> = shown.flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
        token(&parts)
    }
}
