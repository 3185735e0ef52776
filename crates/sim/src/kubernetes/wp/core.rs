//! `wp core`, `wp rewrite`, `wp db query`, `wp post list`.

use serde_json::{Value, json};

use super::cli::{Answer, Call};
use super::print::table;
use super::site::{Page, Site, User};
use super::titles::escaped;
use crate::kubernetes::exec::Output;

/// `wp core install`.
pub(super) fn install(call: &mut Call) -> Answer {
    let required = ["url", "title", "admin_user", "admin_email"];
    let missing: Vec<String> = required
        .iter()
        .filter(|name| call.args.value(name).is_none_or(str::is_empty))
        .map(|name| format!("missing --{name} parameter ({})", purpose(name)))
        .collect();
    if !missing.is_empty() {
        return Err(format!("Parameter errors:\n {}", missing.join("\n ")));
    }
    let value = |name: &str| call.args.value(name).unwrap_or_default().to_owned();
    let (url, email) = (value("url"), value("admin_email"));
    if !email.contains('@') {
        return Err(format!("The '{email}' email address is invalid."));
    }
    if call.site.tables.is_some() {
        return Ok(Output::ok("WordPress is already installed."));
    }
    let url = if url.contains("://") { url } else { format!("http://{url}") };
    let given = call.args.value("admin_password").map(str::to_owned);
    let password = given.clone().unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    let mut site = Site::default();
    for (name, text) in [
        ("siteurl", url.trim_end_matches('/')),
        ("home", url.trim_end_matches('/')),
        ("blogname", &escaped(&value("title"))),
        ("blogdescription", ""),
        ("admin_email", &email),
        ("permalink_structure", ""),
        ("template", "twentytwentyfive"),
        ("stylesheet", "twentytwentyfive"),
        ("blog_public", "1"),
        ("timezone_string", ""),
    ] {
        site.options.insert(name.to_owned(), json!(text));
    }
    site.options.insert("active_plugins".to_owned(), json!([]));
    site.users.push(User {
        id: 1,
        login: value("admin_user"),
        email,
        password: password.clone(),
        role: "administrator".to_owned(),
    });
    // The posts that WordPress makes itself: Hello world!, Sample Page, Privacy Policy.
    for (title, slug) in [("Sample Page", "sample-page"), ("Privacy Policy", "privacy-policy")] {
        let id = site.next_id() + 1;
        site.last_id = id;
        site.pages.push(Page { id, title: title.to_owned(), slug: slug.to_owned() });
    }
    call.site.tables = Some(site);
    let mut text = String::new();
    if given.is_none() {
        text.push_str(&format!("Admin password: {password}\n"));
    }
    text.push_str("Success: WordPress installed successfully.");
    Ok(Output::ok(text))
}

fn purpose(name: &str) -> &'static str {
    match name {
        "url" => "The address of the new site.",
        "title" => "The title of the new site.",
        "admin_user" => "The name of the admin user.",
        _ => "The email address for the admin user.",
    }
}

/// `wp rewrite structure <structure>`.
pub(super) fn rewrite(call: &mut Call) -> Answer {
    let structure =
        call.need(2, "rewrite structure <permastruct> [--category-base=<base>] [--tag-base=<base>] [--hard]")?;
    let hard = call.args.has("hard");
    call.tables()?.options.insert("permalink_structure".to_owned(), json!(structure));
    let mut output = Output::ok("Success: Rewrite structure set.\nSuccess: Rewrite rules flushed.");
    if hard {
        output.stderr =
            "Warning: Regenerating a .htaccess file requires special configuration. See usage docs.\n".to_owned();
    }
    Ok(output)
}

/// `wp db query <sql>`: enough for a check of life.
pub(super) fn query(call: &mut Call) -> Answer {
    let sql = call.need(2, "db query [<sql>]")?;
    match sql.trim().trim_end_matches(';').to_lowercase().as_str() {
        "select 1" => Ok(Output::ok("1\n1")),
        _ => Err("the simulated database answers `SELECT 1` alone".to_owned()),
    }
}

/// `wp post list --post_type=page`.
pub(super) fn pages(call: &mut Call) -> Answer {
    let kind = call.args.value("post_type").unwrap_or("post").to_owned();
    let args = call.args.clone();
    let site = call.tables()?;
    let rows: Vec<Value> = if kind == "page" {
        site.pages
            .iter()
            .map(|page| json!({"ID": page.id, "post_title": page.title, "post_name": page.slug, "post_status": "publish"}))
            .collect()
    } else {
        Vec::new()
    };
    table(&args, &rows, &["ID", "post_title", "post_name", "post_status"], "ID")
}
