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

/// The attempt that made a file of this installation, by the file's name; nothing for files of others.
#[must_use]
pub fn attempt(name: &str, installation: InstallationId) -> Option<FileId> {
    let (rest, attempt) = name.strip_suffix(".md")?.rsplit_once('-')?;
    let (_, mark_of_file) = rest.rsplit_once('-')?;
    let is_attempt = attempt.len() == 32 && mark_of_file == mark(installation);
    is_attempt.then(|| format!("{}_{attempt}", FileId::PREFIX).parse().ok())?
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
    fn a_file_is_known_by_its_name() {
        let (installation, id) = (InstallationId::new(), FileId::new());
        let name = of("Runbook", "12", installation, id);
        assert_eq!(attempt(&name, installation), Some(id));
        let another: InstallationId = "tg_019ab2c4d5e67f8091a2b3c4d5e6f708".parse().unwrap();
        assert_eq!(attempt(&name, another), None, "it is another installation's");
        assert_eq!(attempt("notes.md", installation), None);
        assert_eq!(attempt(&format!("{}-x.md", mark(installation)), installation), None);
    }

    #[test]
    fn a_title_without_latin_letters_still_has_a_name() {
        let name = of("日本語", "1", InstallationId::new(), FileId::new());
        assert!(name.starts_with("page-1-tg"), "{name}");
    }
}
