//! The rules of the database in words: which column a constraint is about, and what would be right.
//!
//! Rules that triggers hold say so themselves, as `column: sentence`.

use super::Code;

/// What a name is that reads as it is written.
const PLAIN: &str = "must be one line, without control characters and marks that turn the direction of the text";

/// A constraint's name, the column that is at fault, and the sentence; in order of the names.
const RULES: &[(&str, &str, &str)] = &[
    ("alerts_acknowledged_by_fkey", "acknowledged_by", "there is no such person"),
    ("alerts_severity_check", "severity", "must be one of `info`, `warning`, `critical`"),
    ("alerts_team_id_fkey", "team_id", "there is no such team"),
    ("api_tokens_name_plain", "name", PLAIN),
    ("applications_branch_bound", "branch", "must be the name of a branch of at most 255 characters, such as `main`"),
    (
        "applications_build_pack_check",
        "build_pack",
        "must be one of `image`, `nixpacks`, `dockerfile`, `static`, `compose`",
    ),
    ("applications_cluster_id_fkey", "cluster_id", "the project's team has no such cluster"),
    (
        "applications_environment_check",
        "environment",
        "must have 1 to 32 characters: letters a to z, digits and `-`, beginning and ending with a letter or digit",
    ),
    (
        "applications_image_bound",
        "image",
        "must be the name of an image of at most 500 characters, such as `ghcr.io/example/shop:1.2`",
    ),
    (
        "applications_image_reference",
        "image",
        "must be a reference of an image in lower case, such as `ghcr.io/example/shop:1.2`",
    ),
    (
        "applications_name_check",
        "name",
        "must have 1 to 63 characters: letters a to z, digits and `-`, beginning and ending with a letter or digit",
    ),
    ("applications_place_key", "name", "another application's objects have this name"),
    ("applications_port_check", "port", "must be from 1 to 65535"),
    (
        "applications_project_id_environment_name_key",
        "name",
        "the project has an application of this name in this environment already",
    ),
    ("applications_project_id_fkey", "project_id", "there is no such project"),
    ("applications_replicas_bound", "replicas", "must be from 0 to 100"),
    ("applications_replicas_check", "replicas", "must be from 0 to 100"),
    (
        "applications_repository_bound",
        "repository",
        "must be an address of at most 500 characters such as `https://github.com/example/shop` or `git@github.com:example/shop.git`, with a public host name",
    ),
    (
        "applications_repository_public",
        "repository",
        "must have a public host name, such as `https://github.com/example/shop`: no name of a local network",
    ),
    (
        "applications_resources_bound",
        "resources",
        "must be a JSON object of at most 2000 bytes, such as {\"requests\": {\"cpu\": \"100m\"}}",
    ),
    ("applications_settings_bound", "settings", "must be a JSON object of at most 65536 bytes"),
    ("applications_settings_host_key", "settings.host", "another application has this host name"),
    ("applications_status_check", "status", "is no status of an application"),
    ("applications_strategy_check", "strategy", "must be one of `rolling`, `canary`, `blue_green`, `recreate`"),
    (
        "clusters_name_check",
        "name",
        "must have 1 to 63 characters: letters a to z, digits and `-`, beginning and ending with a letter or digit",
    ),
    ("clusters_node_count_check", "node_count", "must be 0 or more"),
    ("clusters_provider_check", "provider", "must be one of `rancher`, `rke2`, `imported`, `simulated`"),
    ("clusters_region_bound", "region", "must have at most 100 characters"),
    ("clusters_settings_bound", "settings", "must be a JSON object of at most 16384 bytes"),
    ("clusters_status_check", "status", "is no status of a cluster"),
    ("clusters_team_id_fkey", "team_id", "there is no such team"),
    ("clusters_team_id_name_key", "name", "the team has a cluster of this name already"),
    ("environment_variables_application_id_fkey", "application_id", "there is no such application"),
    ("environment_variables_application_id_name_key", "name", "the application has a variable of this name already"),
    ("environment_variables_name_check", "name", "must have 1 to 255 letters, digits and `_`, and begin with no digit"),
    ("environment_variables_one_source", "value", "give either a value or a secret_id, not both and not neither"),
    ("environment_variables_secret_id_fkey", "secret_id", "the application and its team have no such secret"),
    ("environment_variables_value_bound", "value", "must have at most 65536 bytes"),
    ("preview_environments_application_id_fkey", "application_id", "there is no such application"),
    (
        "preview_environments_application_id_name_key",
        "name",
        "the application has a preview environment of this name already",
    ),
    (
        "preview_environments_branch_bound",
        "branch",
        "must be the name of a branch of at most 255 characters, such as `main`",
    ),
    (
        "preview_environments_expires_at_bound",
        "expires_at",
        "must be at most 90 days after the preview environment was made",
    ),
    (
        "preview_environments_name_check",
        "name",
        "must have 1 to 63 characters: letters a to z, digits and `-`, beginning and ending with a letter or digit",
    ),
    ("preview_environments_operation_id_fkey", "operation_id", "there is no such operation"),
    ("preview_environments_pull_request_bound", "pull_request", "must be 1 or more"),
    ("preview_environments_status_check", "status", "is no status of a preview environment"),
    ("projects_description_bound", "description", "must have at most 2000 characters"),
    ("projects_name_check", "name", "must have 1 to 100 characters, spaces at the ends not counted"),
    ("projects_name_plain", "name", PLAIN),
    ("projects_settings_bound", "settings", "must be a JSON object of at most 16384 bytes"),
    ("projects_team_id_fkey", "team_id", "there is no such team"),
    ("projects_team_id_name_key", "name", "the team has a project of this name already"),
    ("stores_name_plain", "name", PLAIN),
    ("team_members_role_check", "role", "must be one of `owner`, `admin`, `developer`, `viewer`"),
    ("team_members_team_id_fkey", "team_id", "there is no such team"),
    ("team_members_team_id_user_id_key", "user_id", "is a member of the team, or invited to it, already"),
    ("team_members_user_id_fkey", "user_id", "there is no such person"),
    ("teams_created_by_fkey", "created_by", "there is no such person"),
    ("teams_name_check", "name", "must have 1 to 100 characters, spaces at the ends not counted"),
    ("teams_name_plain", "name", PLAIN),
    ("teams_settings_bound", "settings", "must be a JSON object of at most 16384 bytes"),
    (
        "teams_slug_check",
        "slug",
        "must have 1 to 63 characters: letters a to z, digits and `-`, beginning and ending with a letter or digit",
    ),
    ("teams_slug_key", "slug", "another team has this slug"),
    ("teams_store_limit_check", "store_limit", "must be 0 or more"),
    ("users_avatar_url_bound", "avatar_url", "must be an http or https address of at most 2000 characters"),
    ("users_email_check", "email", "must be an e-mail address in lower case"),
    ("users_email_key", "email", "somebody is registered with that e-mail address already"),
    ("users_name_check", "name", "must have 1 to 200 characters, spaces at the ends not counted"),
    ("users_name_plain", "name", PLAIN),
    ("users_platform_role_check", "platform_role", "must be `user` or `admin`"),
];

/// What was broken, for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// `invalid-input`, or `already-exists`.
    pub code: Code,
    /// The column.
    pub field: String,
    /// A sentence that begins with the column.
    pub message: String,
}

impl Broken {
    fn new(code: Code, field: &str, sentence: &str) -> Self {
        Self { code, field: field.to_owned(), message: format!("{field}: {sentence}") }
    }

    /// By the constraint's name.
    pub fn by_name(constraint: &str) -> Option<Self> {
        let place = RULES.binary_search_by_key(&constraint, |(name, ..)| *name).ok()?;
        let (name, field, sentence) = RULES.get(place)?;
        let code = if name.ends_with("_key") { Code::AlreadyExists } else { Code::InvalidInput };
        Some(Self::new(code, field, sentence))
    }

    /// By the words of PostgreSQL, or of a trigger of ours.
    pub fn by_words(words: &str) -> Option<Self> {
        let mut quoted = words.split('"').skip(1).step_by(2);
        if words.contains("violates not-null constraint") {
            return Some(Self::new(Code::InvalidInput, quoted.next()?, "is required"));
        }
        if words.contains(" constraint \"") {
            return Self::by_name(quoted.last()?);
        }
        let (field, sentence) = words.split_once(": ")?;
        // A column, or a place in one that holds JSON: `settings.health.path`.
        let (column, place) = field.split_once('.').unwrap_or((field, "x"));
        let column = !column.is_empty()
            && !sentence.is_empty()
            && column.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && place.split('.').all(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic()));
        column.then(|| Self::new(Code::InvalidInput, field, sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_in_order_and_begin_with_no_capital() {
        assert!(RULES.is_sorted_by_key(|(name, ..)| *name));
        assert!(RULES.iter().all(|(_, _, sentence)| !sentence.ends_with('.')));
    }

    #[test]
    fn a_broken_rule_is_found_by_the_words_of_the_database() {
        let of = |words: &str| Broken::by_words(words).map(|it| (it.code, it.message));
        let name = "new row for relation \"applications\" violates check constraint \"applications_name_check\"";
        let (code, message) = of(name).unwrap();
        assert!(code == Code::InvalidInput && message.starts_with("name: must have 1 to 63 characters"), "{message}");
        let twice = "duplicate key value violates unique constraint \"teams_slug_key\"";
        assert_eq!(of(twice), Some((Code::AlreadyExists, "slug: another team has this slug".to_owned())));
        let none = "null value in column \"team_id\" of relation \"projects\" violates not-null constraint";
        assert_eq!(of(none), Some((Code::InvalidInput, "team_id: is required".to_owned())));
        let ours = "secret_id: the application and its team have no such secret";
        assert_eq!(of(ours), Some((Code::InvalidInput, ours.to_owned())));
        let within = "settings.drainSeconds: must be a whole number from 0 to 600";
        let broken = Broken::by_words(within).unwrap();
        assert_eq!((broken.field.as_str(), broken.message.as_str()), ("settings.drainSeconds", within));
        let key = "insert or update on table \"projects\" violates foreign key constraint \"projects_team_id_fkey\"";
        assert_eq!(of(key), Some((Code::InvalidInput, "team_id: there is no such team".to_owned())));
        for other in [
            "",
            "check constraint of an insert/update permission has failed",
            "a: ",
            "No Column: x",
            "settings.: x",
            ".host: x",
            "new row violates check constraint \"unknown\"",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
