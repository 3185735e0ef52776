//! `wp user`, and the user that `--user` names.

use serde_json::{Value, json};

use super::cli::{Answer, Call};
use super::print::table;
use super::site::{Site, User};
use crate::kubernetes::exec::Output;

/// The user of an id, a login or an e-mail address.
pub(super) fn find<'a>(site: &'a mut Site, who: &str) -> Option<&'a mut User> {
    site.users.iter_mut().find(|user| user.id.to_string() == who || user.login == who || user.email == who)
}

/// Whether `--user` names an administrator; an error when it names nobody.
pub(super) fn privileged(call: &mut Call) -> Result<bool, String> {
    let Some(who) = call.args.value("user").map(str::to_owned) else { return Ok(false) };
    match find(call.tables()?, &who) {
        Some(user) => Ok(matches!(user.role.as_str(), "administrator" | "shop_manager")),
        None => Err(format!("Invalid user ID, email or login: '{who}'")),
    }
}

/// `wp user <action>`.
pub(super) fn user(call: &mut Call, action: &str) -> Answer {
    let args = call.args.clone();
    let columns = ["ID", "user_login", "display_name", "user_email", "roles"];
    match action {
        "list" => {
            let role = args.value("role");
            let users = call.tables()?.users.iter().filter(|user| role.is_none_or(|role| user.role == role));
            let rows: Vec<Value> = users.map(row).collect();
            table(&args, &rows, &columns, "ID")
        }
        "get" => {
            let who = call.need(2, "user get <user> [--field=<field>]")?;
            let found = find(call.tables()?, &who).map(|user| row(user));
            let found = found.ok_or_else(|| format!("Invalid user ID, email or login: '{who}'"))?;
            table(&args, &[found], &columns, "ID")
        }
        "create" => create(call),
        "set-role" => {
            let who = call.need(2, "user set-role <user> [<role>]")?;
            let role = call.need(3, "user set-role <user> [<role>]")?;
            let user = find(call.tables()?, &who);
            let user = user.ok_or_else(|| format!("Invalid user ID, email or login: '{who}'"))?;
            user.role = role;
            Ok(Output::ok(format!("Success: Added {} ({}) to  as {}.", user.login, user.id, user.role)))
        }
        "update" => {
            let who = call.need(2, "user update <user>... [--user_pass=<password>] [--user_email=<email>]")?;
            let user = find(call.tables()?, &who);
            let user = user.ok_or_else(|| format!("Invalid user ID, email or login: '{who}'"))?;
            if let Some(password) = args.value("user_pass") {
                user.password = password.to_owned();
            }
            if let Some(email) = args.value("user_email") {
                user.email = email.to_owned();
            }
            if let Some(role) = args.value("role") {
                user.role = role.to_owned();
            }
            Ok(Output::ok(format!("Success: Updated user {}.", user.id)))
        }
        "check-password" => {
            let (who, password) = (
                call.need(2, "user check-password <user> <password>")?,
                call.need(3, "user check-password <user> <password>")?,
            );
            let user = find(call.tables()?, &who);
            let user = user.ok_or_else(|| format!("Invalid user ID, email or login: '{who}'"))?;
            Ok(Output::silent(i64::from(user.password != password)))
        }
        _ => Err(format!(
            "'{action}' is not a registered subcommand of 'user'. See 'wp help user' for available subcommands."
        )),
    }
}

fn create(call: &mut Call) -> Answer {
    const USAGE: &str = "user create <user-login> <user-email> [--role=<role>] [--user_pass=<password>]";
    let (login, email) = (call.need(2, USAGE)?, call.need(3, USAGE)?);
    let value = |name: &str| call.args.value(name).unwrap_or_default().to_owned();
    let (role, password) = (value("role"), value("user_pass"));
    let site = call.tables()?;
    if site.users.iter().any(|user| user.login == login) {
        return Err(format!("The '{login}' username is already registered."));
    }
    let id = site.users.iter().map(|user| user.id).max().unwrap_or_default() + 1;
    site.users.push(User { id, login, email, password, role });
    Ok(Output::ok(format!("Success: Created user {id}.")))
}

fn row(user: &User) -> Value {
    json!({
        "ID": user.id, "user_login": user.login, "display_name": user.login, "user_email": user.email,
        "roles": user.role,
    })
}
