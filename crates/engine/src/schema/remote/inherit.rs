//! What inherited roles see of a remote schema: what their parents see, where that is the same.

use serde_json::json;

use super::RemoteTypes;
use crate::metadata::InheritedRole;
use crate::schema::inherit::order;
use crate::schema::model::Inconsistency;

impl RemoteTypes {
    /// Gives inherited roles the part of their parents; those whose parents have different parts get none, and are
    /// reported.
    pub fn inherit(&mut self, roles: &[InheritedRole]) -> Vec<Inconsistency> {
        let mut conflicts = Vec::new();
        for role in order(roles).0 {
            if self.roles.contains_key(&role.role_name) {
                continue;
            }
            let mut parts = role.role_set.iter().filter_map(|parent| self.roles.get(parent));
            let Some(first) = parts.next() else { continue };
            if parts.all(|part| part == first) {
                let part = first.clone();
                self.roles.insert(role.role_name.clone(), part);
                continue;
            }
            conflicts.push(Inconsistency {
                kind: Inconsistency::CONFLICT.to_owned(),
                name: role.role_name.clone(),
                reason: format!(
                    "Could not inherit permission for the role '{}' for the entity: 'remote schema: {}'",
                    role.role_name, self.definition.name
                ),
                definition: json!({"remote_schema": self.definition.name}),
            });
        }
        conflicts
    }
}
