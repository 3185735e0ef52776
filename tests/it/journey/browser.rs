//! The journey in a real browser.

use std::process::Command;

use super::Stack;

const EMAIL: &str = "person@example.com";

/// Runs a script of the portal's browser tests as this person; it must succeed and take a picture.
async fn browse(stack: &Stack, script: &str, address: &str) {
    let screenshot = stack.state().join("picture.png");
    let output = tokio::task::block_in_place(|| {
        Command::new("node")
            .arg(script)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web"))
            .env("BASE_URL", address)
            .env("EMAIL", EMAIL)
            .env("PASSWORD", "correct horse battery")
            .env("SCREENSHOT", &screenshot)
            .env("FAILURE_SCREENSHOT", stack.state().join("failed.png"))
            .output()
            .expect("node runs")
    });
    assert!(
        output.status.success(),
        "{}\n{}\n--- platform\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        stack.log()
    );
    assert!(screenshot.is_file(), "the journey takes a picture");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_creates_watches_and_deletes_a_store_in_the_portal() {
    let stack = Stack::paced("people").await;
    stack.register(EMAIL).await;
    browse(&stack, "e2e/live/journey.live.mjs", &stack.portal_url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_asks_and_subscribes_in_the_api_explorer() {
    let stack = Stack::paced("people").await;
    stack.register(EMAIL).await;
    browse(&stack, "e2e/live/explorer.live.mjs", &stack.api_url()).await;
}
