//! `wp plugin` and `wp theme`.

use serde_json::{Value, json};

use super::catalogue::{self, Package, newer};
use super::cli::{Answer, Call};
use super::print::table;
use super::shop;
use super::site::Site;
use crate::kubernetes::exec::Output;

/// `wp plugin <action>`.
pub(super) fn plugin(call: &mut Call, action: &str) -> Answer {
    call.tables()?;
    match action {
        "install" => install(call, "plugin"),
        "is-installed" => {
            let slug = call.need(2, "plugin is-installed <plugin>...")?;
            Ok(Output::silent(i64::from(!call.site.files.plugins.contains_key(&slug))))
        }
        "is-active" => {
            let slug = call.need(2, "plugin is-active <plugin> [--network]")?;
            let active = call.site.files.plugins.contains_key(&slug) && call.tables()?.is_active(&slug);
            Ok(Output::silent(i64::from(!active)))
        }
        "activate" => {
            let slug = call.need(2, "plugin activate [<plugin>...] [--all] [--network]")?;
            activate(call, &slug)
        }
        "deactivate" => {
            let slug = call.need(2, "plugin deactivate [<plugin>...]")?;
            let site = call.tables()?;
            if !site.is_active(&slug) {
                let mut output = Output::ok("Success: Plugin already deactivated.");
                output.stderr = format!("Warning: Plugin '{slug}' isn't active.\n");
                return Ok(output);
            }
            site.set_active(&slug, false);
            Ok(Output::ok(format!("Plugin '{slug}' deactivated.\nSuccess: Deactivated 1 of 1 plugins.")))
        }
        "list" => {
            let plugins = call.site.files.plugins.clone();
            let args = call.args.clone();
            let site = call.tables()?;
            let status = args.value("status").map(str::to_owned);
            let rows: Vec<Value> = plugins
                .iter()
                .map(|(slug, version)| {
                    let state = if site.is_active(slug) { "active" } else { "inactive" };
                    json!({
                        "name": slug, "status": state, "update": "none", "version": version, "update_version": "",
                        "auto_update": "off",
                    })
                })
                .filter(|row| status.as_deref().is_none_or(|wanted| row.get("status") == Some(&json!(wanted))))
                .collect();
            table(&args, &rows, &["name", "status", "update", "version", "update_version", "auto_update"], "name")
        }
        "get" => {
            let slug = call.need(2, "plugin get <plugin>")?;
            let version = call.site.files.plugins.get(&slug).cloned();
            let version = version.ok_or_else(|| format!("The '{slug}' plugin could not be found."))?;
            Ok(Output::ok(if call.args.value("field") == Some("version") { version } else { slug }))
        }
        _ => Err(format!(
            "'{action}' is not a registered subcommand of 'plugin'. See 'wp help plugin' for available subcommands."
        )),
    }
}

/// `wp theme <action>`.
pub(super) fn theme(call: &mut Call, action: &str) -> Answer {
    call.tables()?;
    match action {
        "install" => install(call, "theme"),
        "is-installed" => {
            let slug = call.need(2, "theme is-installed <theme>")?;
            Ok(Output::silent(i64::from(!call.site.files.themes.contains_key(&slug))))
        }
        "is-active" => {
            let slug = call.need(2, "theme is-active <theme>")?;
            Ok(Output::silent(i64::from(call.tables()?.option("stylesheet") != slug)))
        }
        "activate" => {
            let slug = call.need(2, "theme activate <theme>")?;
            switch(call, &slug)
        }
        "list" => {
            let themes = call.site.files.themes.clone();
            let args = call.args.clone();
            let current = call.tables()?.option("stylesheet").to_owned();
            let status = args.value("status").map(str::to_owned);
            let rows: Vec<Value> = themes
                .iter()
                .map(|(slug, version)| {
                    let state = if *slug == current { "active" } else { "inactive" };
                    json!({
                        "name": slug, "status": state, "update": "none", "version": version, "update_version": "",
                        "auto_update": "off",
                    })
                })
                .filter(|row| status.as_deref().is_none_or(|wanted| row.get("status") == Some(&json!(wanted))))
                .collect();
            table(&args, &rows, &["name", "status", "update", "version", "update_version", "auto_update"], "name")
        }
        _ => Err(format!(
            "'{action}' is not a registered subcommand of 'theme'. See 'wp help theme' for available subcommands."
        )),
    }
}

fn install(call: &mut Call, kind: &str) -> Answer {
    let slug =
        call.need(2, &format!("{kind} install <{kind}|zip|url>... [--version=<version>] [--force] [--activate]"))?;
    let plugin = kind == "plugin";
    if !call.online {
        return Err(format!(
            "Warning: {slug}: An unexpected error occurred. Something may be wrong with WordPress.org or this \
             server&#8217;s configuration.\u{0}No {kind}s installed."
        ));
    }
    let found = if plugin { catalogue::plugin(&slug) } else { catalogue::theme(&slug) };
    let Some(package) = found else {
        return Err(format!(
            "Warning: Couldn't find '{slug}' in the WordPress.org {kind} directory.\u{0}No {kind}s installed."
        ));
    };
    let wanted = call.args.value("version").map(str::to_owned);
    let force = call.args.has("force");
    let installed =
        if plugin { call.site.files.plugins.contains_key(&slug) } else { call.site.files.themes.contains_key(&slug) };
    let title = capital(kind);
    if installed && !force {
        let mut output = Output::ok(format!("Success: {title} already installed."));
        output.stderr = format!("Warning: {slug}: {title} already installed.\n");
        return follow_up(call, output, plugin, &slug);
    }
    let version = acceptable(call, package, wanted.as_deref(), kind)?;
    let store = if plugin { &mut call.site.files.plugins } else { &mut call.site.files.themes };
    store.insert(slug.clone(), version.clone());
    let text = format!(
        "Installing {} ({version})\nDownloading installation package from \
         https://downloads.wordpress.org/{kind}/{slug}.{version}.zip...\nUnpacking the package...\nInstalling the \
         {kind}...\n{title} installed successfully.\nSuccess: Installed 1 of 1 {kind}s.",
        package.title
    );
    follow_up(call, Output::ok(text), plugin, &slug)
}

/// The version to install, if it exists and works with this WordPress.
fn acceptable(call: &Call, package: &Package, wanted: Option<&str>, kind: &str) -> Result<String, String> {
    let Some(version) = package.version(wanted) else {
        return Err(format!(
            "Warning: Can't find the requested {kind}'s version {} in the WordPress.org {kind} repository (HTTP code \
             404).\u{0}No {kind}s installed.",
            wanted.unwrap_or_default()
        ));
    };
    let (needs, has) = (package.needs(&version), call.site.files.version.as_str());
    if newer(needs, has) {
        return Err(format!(
            "Warning: {}: This {kind} does not work with your version of WordPress. Minimum WordPress requirement is \
             {needs}, this site has {has}.\u{0}No {kind}s installed.",
            package.slug
        ));
    }
    Ok(version)
}

fn follow_up(call: &mut Call, mut output: Output, plugin: bool, slug: &str) -> Answer {
    if call.args.has("activate") {
        let more = if plugin { activate(call, slug)? } else { switch(call, slug)? };
        output.stdout.push_str(&more.stdout);
        output.stderr.push_str(&more.stderr);
    }
    Ok(output)
}

fn activate(call: &mut Call, slug: &str) -> Answer {
    let Some(version) = call.site.files.plugins.get(slug).cloned() else {
        return Err(format!("Warning: The '{slug}' plugin could not be found.\u{0}No plugins activated."));
    };
    let has = call.site.files.version.clone();
    let site = call.tables()?;
    if site.is_active(slug) {
        let mut output = Output::ok("Success: Plugin already activated.");
        output.stderr = format!("Warning: Plugin '{slug}' is already active.\n");
        return Ok(output);
    }
    if let Some(package) = catalogue::plugin(slug)
        && newer(package.needs(&version), &has)
    {
        return Err(format!(
            "Warning: Failed to activate plugin. Current WordPress version ({has}) does not meet minimum requirements \
             for {}. The plugin requires WordPress {}.\u{0}No plugins activated.",
            package.title,
            package.needs(&version)
        ));
    }
    site.set_active(slug, true);
    if slug == "woocommerce" {
        shop::booted(site, Some(&version));
    }
    Ok(Output::ok(format!("Plugin '{slug}' activated.\nSuccess: Activated 1 of 1 plugins.")))
}

fn switch(call: &mut Call, slug: &str) -> Answer {
    if !call.site.files.themes.contains_key(slug) {
        return Err(format!("The '{slug}' theme could not be found."));
    }
    let title = catalogue::theme(slug).map_or(slug, |package| package.title);
    let site: &mut Site = call.tables()?;
    if site.option("stylesheet") == slug {
        let mut output = Output::silent(0);
        output.stderr = format!("Warning: The '{title}' theme is already active.\n");
        return Ok(output);
    }
    for name in ["template", "stylesheet"] {
        site.options.insert(name.to_owned(), json!(slug));
    }
    site.options.insert("current_theme".to_owned(), json!(title));
    Ok(Output::ok(format!("Success: Switched to '{title}' theme.")))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
