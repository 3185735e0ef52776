//! Relationships of tables: by foreign keys and by hand.

use super::*;

impl Resolver<'_> {
    pub(super) fn relationships(&mut self, id: TableId, table: &metadata::Table, found: &catalog::Table) {
        for relationship in &table.object_relationships {
            let resolved = match &relationship.using {
                ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Column(column)) => {
                    self.own_key(id, found, &[column.as_str()])
                }
                ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Columns(columns)) => {
                    self.own_key(id, found, &columns.iter().map(String::as_str).collect::<Vec<_>>())
                }
                ObjectUsing::ForeignKeyConstraintOn(ObjectForeignKey::Remote(key)) => {
                    self.other_key(id, &found.name, &key.table, &key.columns())
                }
                ObjectUsing::ManualConfiguration(manual) => self.manual(id, manual),
            };
            self.relationship(id, "object_relation", &relationship.name, false, resolved, relationship);
        }
        for relationship in &table.array_relationships {
            let resolved = match &relationship.using {
                ArrayUsing::ForeignKeyConstraintOn(key) => self.other_key(id, &found.name, &key.table, &key.columns()),
                ArrayUsing::ManualConfiguration(manual) => self.manual(id, manual),
            };
            self.relationship(id, "array_relation", &relationship.name, true, resolved, relationship);
        }
    }

    fn relationship(
        &mut self,
        id: TableId,
        kind: &str,
        name: &str,
        array: bool,
        resolved: Result<RelationshipInfo, String>,
        definition: impl Serialize,
    ) {
        let taken = {
            let info = &self.model.tables[id];
            info.columns.iter().any(|column| column.field == name) || info.relationship(name).is_some()
        };
        let resolved = match resolved {
            _ if taken => Err(format!("field with name \"{name}\" already exists in table")),
            _ if !is_name(name) => Err(not_a_name(name)),
            other => other,
        };
        match resolved {
            Ok(info) => {
                self.model.tables[id].relationships.push(RelationshipInfo { name: name.to_owned(), array, ..info });
            }
            Err(reason) => {
                let table = self.model.tables[id].name.to_string();
                let reason = format!("Inconsistent object: in table \"{table}\": in relationship \"{name}\": {reason}");
                let name = format!("{kind} {name} in table {table} in source default");
                let definition = self.of_table(id, definition);
                self.fault(kind, name, reason, definition);
            }
        }
    }

    fn own_key(&self, id: TableId, found: &catalog::Table, columns: &[&str]) -> Result<RelationshipInfo, String> {
        let key = found
            .foreign_keys
            .iter()
            .find(|key| {
                key.columns.len() == columns.len()
                    && key.columns.iter().all(|(local, _)| columns.contains(&local.as_str()))
            })
            .ok_or_else(|| "no foreign constraint exists on the given column(s)".to_owned())?;
        let pairs: Vec<(&str, &str)> = key.columns.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut info = self.mapped(id, &key.remote, &pairs)?;
        info.nullable = info.mapping.iter().any(|(local, _)| !self.model.tables[id].columns[*local].not_null);
        Ok(info)
    }

    fn other_key(
        &self,
        id: TableId,
        own: &QualifiedName,
        remote: &QualifiedName,
        columns: &[&str],
    ) -> Result<RelationshipInfo, String> {
        let other = self.catalog.table(remote).ok_or_else(|| format!("table \"{remote}\" does not exist"))?;
        let key = other
            .foreign_keys
            .iter()
            .find(|key| {
                key.remote == *own
                    && key.columns.len() == columns.len()
                    && key.columns.iter().all(|(local, _)| columns.contains(&local.as_str()))
            })
            .ok_or_else(|| "no foreign constraint exists on the given column(s)".to_owned())?;
        let pairs: Vec<(&str, &str)> = key.columns.iter().map(|(a, b)| (b.as_str(), a.as_str())).collect();
        let mut info = self.mapped(id, remote, &pairs)?;
        info.insert_after = true;
        Ok(info)
    }

    fn manual(&self, id: TableId, manual: &ManualRelationship) -> Result<RelationshipInfo, String> {
        let pairs: Vec<(&str, &str)> = manual.column_mapping.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut info = self.mapped(id, &manual.remote_table, &pairs)?;
        info.insert_after = manual.insertion_order == Some(InsertionOrder::AfterParent);
        Ok(info)
    }

    fn mapped(&self, id: TableId, remote: &QualifiedName, pairs: &[(&str, &str)]) -> Result<RelationshipInfo, String> {
        let table = *self
            .model
            .by_name
            .get(remote)
            .ok_or_else(|| format!("table \"{remote}\" does not exist in source: default"))?;
        let place = |table: TableId, name: &str| {
            let info = &self.model.tables[table];
            info.column(name).ok_or_else(|| format!("column \"{name}\" does not exist in table \"{}\"", info.name))
        };
        let mapping = pairs
            .iter()
            .map(|(local, other)| Ok((place(id, local)?, place(table, other)?)))
            .collect::<Result<Vec<_>, String>>()?;
        let others: Vec<&str> = pairs.iter().map(|(_, other)| *other).collect();
        let unique = self.catalog.table(remote).is_some_and(|table| table.is_unique(&others));
        Ok(RelationshipInfo {
            name: String::new(),
            array: false,
            table,
            mapping,
            unique,
            nullable: true,
            insert_after: false,
        })
    }
}
