//! What each role may do with a table.

use super::*;

impl Resolver<'_> {
    pub(super) fn permissions(&mut self, id: TableId, table: &metadata::Table) {
        for permission in &table.select_permissions {
            match self.select_rule(id, &permission.permission) {
                Ok(rule) => self.entry(id, &permission.role).select = Some(Arc::new(rule)),
                Err(reason) => self.permission_fault("select_permission", id, &permission.role, reason, permission),
            }
        }
        for permission in &table.insert_permissions {
            match self.insert_rule(id, &permission.permission) {
                Ok(rule) => self.entry(id, &permission.role).insert = Some(Arc::new(rule)),
                Err(reason) => self.permission_fault("insert_permission", id, &permission.role, reason, permission),
            }
        }
        for permission in &table.update_permissions {
            match self.update_rule(id, &permission.permission) {
                Ok(rule) => self.entry(id, &permission.role).update = Some(Arc::new(rule)),
                Err(reason) => self.permission_fault("update_permission", id, &permission.role, reason, permission),
            }
        }
        for permission in &table.delete_permissions {
            match permission::read(&self.model, id, &permission.permission.filter) {
                Ok(filter) => {
                    let backend_only = permission.permission.backend_only;
                    self.entry(id, &permission.role).delete = Some(Arc::new(DeleteRule { filter, backend_only }));
                }
                Err(reason) => self.permission_fault("delete_permission", id, &permission.role, reason, permission),
            }
        }
        let admin = self.admin(id);
        self.model.tables[id].permissions.insert(ADMIN.to_owned(), admin);
    }

    fn entry(&mut self, id: TableId, role: &str) -> &mut Permissions {
        self.model.tables[id].permissions.entry(role.to_owned()).or_default()
    }

    fn permission_fault(&mut self, kind: &str, id: TableId, role: &str, reason: String, definition: impl Serialize) {
        let table = self.model.tables[id].name.to_string();
        let name = format!("{kind} {role} in table {table} in source default");
        let reason = format!("Inconsistent object: in table \"{table}\": in permission for role \"{role}\": {reason}");
        let definition = self.of_table(id, definition);
        self.fault(kind, name, reason, definition);
    }

    fn admin(&self, id: TableId) -> Permissions {
        let info = &self.model.tables[id];
        let writable: Vec<bool> = info.columns.iter().map(|column| column.writable).collect();
        let (_, update, delete) = info.mutable;
        Permissions {
            select: Some(Arc::new(SelectRule {
                columns: vec![true; info.columns.len()],
                guards: vec![None; info.columns.len()],
                computed: vec![true; info.computed.len()],
                computed_guards: vec![None; info.computed.len()],
                filter: BoolExp::TRUE,
                limit: None,
                aggregations: true,
                query_roots: None,
                subscription_roots: None,
            })),
            // A view that takes no rows still shows its input type under relationships, as in Hasura.
            insert: Some(Arc::new(InsertRule {
                columns: writable.clone(),
                presets: Vec::new(),
                check: BoolExp::TRUE,
                backend_only: false,
            })),
            update: update.then(|| {
                Arc::new(UpdateRule {
                    columns: writable,
                    presets: Vec::new(),
                    filter: BoolExp::TRUE,
                    check: BoolExp::TRUE,
                    backend_only: false,
                })
            }),
            delete: delete.then(|| Arc::new(DeleteRule { filter: BoolExp::TRUE, backend_only: false })),
        }
    }

    fn columns(&self, id: TableId, columns: &Columns) -> Result<Vec<bool>, String> {
        let info = &self.model.tables[id];
        if let Columns::List(names) = columns
            && let Some(unknown) = names.iter().find(|name| info.column(name).is_none())
        {
            return Err(format!("column \"{unknown}\" does not exist"));
        }
        Ok(info.columns.iter().map(|column| columns.contains(&column.name)).collect())
    }

    fn select_rule(&self, id: TableId, permission: &metadata::SelectPermission) -> Result<SelectRule, String> {
        let info = &self.model.tables[id];
        if let Some(unknown) =
            permission.computed_fields.iter().find(|name| !info.computed.iter().any(|field| field.name == **name))
        {
            return Err(format!("computed field \"{unknown}\" does not exist"));
        }
        let columns = self.columns(id, &permission.columns)?;
        let stream = |field: &&SelectRootField| **field == SelectRootField::SelectStream;
        if permission.query_root_fields.iter().flatten().find(stream).is_some() {
            return Err("select_stream is a root field of subscriptions only".to_owned());
        }
        Ok(SelectRule {
            guards: vec![None; columns.len()],
            computed_guards: vec![None; info.computed.len()],
            columns,
            computed: info
                .computed
                .iter()
                // One that returns rows follows the permissions of their table.
                .map(|field| {
                    matches!(field.returns, ComputedReturn::Table(_))
                        || permission.computed_fields.contains(&field.name)
                })
                .collect(),
            filter: permission::read(&self.model, id, &permission.filter)?,
            limit: permission.limit,
            aggregations: permission.allow_aggregations,
            query_roots: permission.query_root_fields.clone(),
            subscription_roots: permission.subscription_root_fields.clone(),
        })
    }

    fn presets(&self, id: TableId, set: &indexmap::IndexMap<String, Value>) -> Result<Vec<(usize, Value)>, String> {
        set.iter()
            .map(|(name, value)| {
                let column = self.model.tables[id].column(name);
                let column = column.ok_or_else(|| format!("column \"{name}\" does not exist"))?;
                permission::fits(value, &self.model.tables[id].columns[column].ty, name)?;
                Ok((column, value.clone()))
            })
            .collect()
    }

    fn settable(&self, id: TableId, columns: &Columns, presets: &[(usize, Value)]) -> Result<Vec<bool>, String> {
        let mut settable = self.columns(id, columns)?;
        for (column, flag) in settable.iter_mut().enumerate() {
            *flag &= self.model.tables[id].columns[column].writable && !presets.iter().any(|(set, _)| *set == column);
        }
        Ok(settable)
    }

    fn insert_rule(&self, id: TableId, permission: &metadata::InsertPermission) -> Result<InsertRule, String> {
        if !self.model.tables[id].mutable.0 {
            return Err("the view is not insertable".to_owned());
        }
        let presets = self.presets(id, &permission.set)?;
        Ok(InsertRule {
            columns: self.settable(id, &permission.columns, &presets)?,
            presets,
            check: permission::read(&self.model, id, &permission.check)?,
            backend_only: permission.backend_only,
        })
    }

    fn update_rule(&self, id: TableId, permission: &metadata::UpdatePermission) -> Result<UpdateRule, String> {
        if !self.model.tables[id].mutable.1 {
            return Err("the view is not updatable".to_owned());
        }
        let presets = self.presets(id, &permission.set)?;
        let check = match &permission.check {
            Some(Value::Null) | None => BoolExp::TRUE,
            Some(check) => permission::read(&self.model, id, check)?,
        };
        Ok(UpdateRule {
            columns: self.settable(id, &permission.columns, &presets)?,
            presets,
            filter: permission::read(&self.model, id, &permission.filter)?,
            check,
            backend_only: permission.backend_only,
        })
    }
}
