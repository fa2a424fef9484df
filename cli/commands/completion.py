"""`tickwork completion`: the script that completes commands in a shell."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_TICKWORK_COMPLETE"
_FILES = {
    "bash": '~/.bashrc: eval "$(tickwork completion bash)"',
    "zsh": '~/.zshrc: eval "$(tickwork completion zsh)"',
    "fish": "~/.config/fish/completions/tickwork.fish: tickwork completion fish | source",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_FILES)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the shell's completion script. Its first line says where it belongs."""
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(f"# To keep it, add to {_FILES[shell]}")
    click.echo(found(ctx.find_root().command, {}, "tickwork", _VARIABLE).source())
