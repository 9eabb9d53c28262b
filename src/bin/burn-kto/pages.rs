//! `burn-kto completions` and `burn-kto man`: what shells and manuals know of the program.

use crate::output::say;
use burn_kto::Error;
use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const COMPLETIONS: &str = "\
Examples:
  burn-kto completions bash >~/.local/share/bash-completion/completions/burn-kto
  burn-kto completions zsh >\"${fpath[1]}/_burn-kto\"
  burn-kto completions fish >~/.config/fish/completions/burn-kto.fish";

const MANUAL: &str = "\
Examples:
  burn-kto man | man -l -
  burn-kto man ~/.local/share/man/man1";

/// Prints what makes a shell complete the program's subcommands and flags.
#[derive(Args, Clone, Debug)]
#[command(after_help = COMPLETIONS)]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the manual's pages, one for the program and one for each subcommand, or writes them to a
/// folder.
#[derive(Args, Clone, Debug)]
#[command(after_help = MANUAL)]
pub(crate) struct Manual {
    /// Writes burn-kto.1, burn-kto-evaluate.1, … there, instead of all on standard output.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// The completions, on standard output.
pub(crate) fn completions(options: &Completions, mut program: Command) -> Result<(), Error> {
    let mut script = Vec::new();
    let name = program.get_name().to_string();
    clap_complete::generate(options.shell, &mut program, name, &mut script);
    // clap_complete 4.6.11 sets one name of a subcommand and looks for another where the program's
    // name has a hyphen.
    let script = String::from_utf8_lossy(&script).replace("burn__subcmd__kto", "burn__kto");
    say!("{}", script.trim_end());
    Ok(())
}

/// The pages, in the folder or on standard output.
pub(crate) fn manual(options: &Manual, program: Command) -> Result<(), Error> {
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let subcommands = program.get_subcommands().cloned();
    let pages: Vec<Man> = [program.clone()]
        .into_iter()
        .chain(subcommands)
        .map(|command| Man::new(command).source(concat!("burn-kto ", env!("CARGO_PKG_VERSION"))))
        .collect();
    match &options.folder {
        None => {
            for page in pages {
                let text = rendered(&page).map_err(failed(Path::new("the manual")))?;
                say!("{}", String::from_utf8_lossy(&text).trim_end());
            }
        }
        Some(folder) => {
            fs::create_dir_all(folder).map_err(failed(folder))?;
            for page in pages {
                let path = folder.join(page.get_filename());
                let text = rendered(&page).map_err(failed(&path))?;
                fs::write(&path, text).map_err(failed(&path))?;
            }
        }
    }
    Ok(())
}

fn rendered(page: &Man) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok(text)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_path_buf();
    move |source| Error::Io {
        action: "write",
        path,
        source,
    }
}
