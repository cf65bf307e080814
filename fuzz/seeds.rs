//! Writes what the fuzzer begins with: a file for each real body that lies beside the repository, and for each fixture.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("fuzz/corpus/convert");
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(root.join("src/convert/fixtures"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            fs::copy(&path, folder.join(path.file_name().unwrap_or_default()))?;
        }
    }
    let lines = fs::read_to_string(root.join("../shared/corpus/storage-public.jsonl"));
    let lines = lines.unwrap_or_else(|_| {
        println!("no corpus beside the repository: the fixtures alone");
        String::new()
    });
    for line in lines.lines() {
        let body: serde_json::Value = serde_json::from_str(line)?;
        let field = |name: &str| body[name].as_str().unwrap_or_default();
        fs::write(folder.join(field("id")), field("storage"))?;
    }
    println!("{} seeds", fs::read_dir(folder)?.count());
    Ok(())
}
