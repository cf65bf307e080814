//! Names of uploaded files. A file at OpenAI has no attributes: its name alone tells whose it is.

use crate::ids::{FileId, InstallationId};

/// The longest slug of a title.
const LONGEST_SLUG: usize = 60;

/// `<slug of the title>-<page id>-tg<installation, 8>-<attempt id>.md`, in ASCII, unique for each attempt.
#[must_use]
pub fn of(title: &str, page_id: &str, installation: InstallationId, attempt: FileId) -> String {
    format!("{}-{page_id}-{}-{}.md", slug(title), mark(installation), attempt.0.simple())
}

/// What the names of all files of an installation have in common.
#[must_use]
pub fn mark(installation: InstallationId) -> String {
    // The last digits: the first ones of an id are a time, which two installations may share.
    let digits = installation.0.simple().to_string();
    format!("tg{}", &digits[digits.len() - 8..])
}

/// A title in lower-case ASCII letters and digits, its words joined by hyphens.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for letter in title.chars() {
        if slug.len() >= LONGEST_SLUG {
            break;
        }
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "page".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_page_installation_and_attempt() {
        let (installation, attempt) = (InstallationId::new(), FileId::new());
        let name = of("Q&A: Größe / Size", "12", installation, attempt);
        assert!(name.starts_with("q-a-gr-e-size-12-tg"), "{name}");
        assert!(name.ends_with(&format!("-{}.md", attempt.0.simple())));
        assert!(name.contains(&mark(installation)) && name.is_ascii());
    }

    #[test]
    fn a_title_without_latin_letters_still_has_a_name() {
        let name = of("日本語", "1", InstallationId::new(), FileId::new());
        assert!(name.starts_with("page-1-tg"), "{name}");
    }
}
