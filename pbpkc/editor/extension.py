"""The extension for Visual Studio Code as one file: ``python -m pbpkc.editor.extension -o pbpk.vsix``.

A ``.vsix`` is a zip archive of the extension's folder with two files that say what it is; neither node nor a
network is needed to make one. The same folder gives the same bytes.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pbpkc.experiment.whole_file import write_whole
from pbpkc.resources import resource

#: The files of the extension, from its folder.
FILES = (
    "package.json",
    "README.md",
    "extension.js",
    "connection.js",
    "language-configuration.json",
    "syntaxes/pbpk.tmLanguage.json",
)

_TYPES = {
    "json": "application/json",
    "js": "application/javascript",
    "md": "text/markdown",
    "xml": "text/xml",
}


def pack() -> bytes:
    """The extension as a ``.vsix``.

    Raises
    ------
    ValueError
        When the manifest names a file that is not there.
    """
    folder = resource("grammar", "vscode")
    manifest = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    missing = [name for name in named_files(manifest) if name not in FILES]
    if missing:
        raise ValueError(f"package.json names files that are not packed: {', '.join(missing)}")
    parts = {f"extension/{name}": (folder / name).read_bytes() for name in FILES}
    parts["extension.vsixmanifest"] = _manifest(manifest).encode()
    parts["[Content_Types].xml"] = _content_types().encode()
    packed = io.BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, content in sorted(parts.items()):
            info = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return packed.getvalue()


def named_files(manifest: Mapping[str, Any]) -> list[str]:
    """The files that a manifest names, from the extension's folder."""
    contributes = manifest["contributes"]
    named = [manifest["main"]]
    named += [language["configuration"] for language in contributes["languages"]]
    named += [grammar["path"] for grammar in contributes["grammars"]]
    return [name.removeprefix("./") for name in named]


def _manifest(package: Mapping[str, Any]) -> str:
    identity = " ".join(
        f"{key}={quoteattr(str(value))}"
        for key, value in {
            "Language": "en-US",
            "Id": package["name"],
            "Version": package["version"],
            "Publisher": package["publisher"],
        }.items()
    )
    engine = quoteattr(package["engines"]["vscode"])
    details = "Microsoft.VisualStudio.Services.Content.Details"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity {identity}/>
    <DisplayName>{escape(package["displayName"])}</DisplayName>
    <Description xml:space="preserve">{escape(package["description"])}</Description>
    <Tags>{escape(",".join(package["keywords"]))}</Tags>
    <Categories>{escape(",".join(package["categories"]))}</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value={engine}/>
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace"/>
    </Properties>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code"/>
  </Installation>
  <Dependencies/>
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true"/>
    <Asset Type="{details}" Path="extension/README.md" Addressable="true"/>
  </Assets>
</PackageManifest>
"""


def _content_types() -> str:
    defaults = "\n".join(
        f'  <Default Extension=".{ending}" ContentType="{kind}"/>' for ending, kind in _TYPES.items()
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
{defaults}
  <Default Extension=".vsixmanifest" ContentType="text/xml"/>
</Types>
"""


def main(arguments: list[str]) -> int:
    """Write the file; the exit status."""
    if len(arguments) != 2 or arguments[0] != "-o":
        print("usage: python -m pbpkc.editor.extension -o pbpk.vsix", file=sys.stderr)
        return 2
    try:
        write_whole({Path(arguments[1]): pack()})
    except OSError as error:
        print(f"'{arguments[1]}' cannot be written: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments[1]}; install it with: code --install-extension {arguments[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
