//! Whatever the body is: a tidy text, the same one each time, in proportion to the body.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/convert/mod.rs"]
#[allow(dead_code, reason = "what the service uses beyond the text")]
mod convert;

fuzz_target!(|storage: &str| {
    let page = convert::Page {
        title: "A page",
        site_url: "https://example.atlassian.net/wiki",
        space_key: "EX",
        page_id: "1",
        storage,
    };
    let rendering = convert::markdown(&page);
    let text = &rendering.markdown;
    assert!(text.starts_with("# A page\n") && text.ends_with('\n'), "not a document");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "a control character");
    assert!(text.len() <= 4 * storage.len() + 4096, "{} bytes became {}", storage.len(), text.len());
    assert_eq!(rendering.is_empty, text == "# A page\n");
    assert_eq!(convert::markdown(&page).markdown, *text);
});
