"""The shape of the package: layers, light imports, short modules, documented names, all files."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import course_utils

PACKAGE = Path(course_utils.__file__).parent
# From the bottom to the top: a module imports from its own layer and from those before it.
LAYERS = (
    "checks",
    "colours",
    "html",
    "sequences",
    "masked",
    "documents",
    "devices",
    "data",
    "models",
    "wrong_models",
    "graphs",
    "backprop",
    "training",
    "parallel",
    "course",
    "pictures",
    "padcheck",
    "explorers",
    "lessons",
    "topics",
)
COMPUTE = LAYERS[: LAYERS.index("parallel") + 1]
HEAVY = ("sktime", "pandas", "matplotlib", "sklearn", "IPython", "ipywidgets", "anywidget")
MOST_LINES, MOST_LINES_OF_A_TOPIC, MOST_FUNCTION_LINES = 350, 450, 40


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(p): ast.parse(p.read_text()) for p in sorted(PACKAGE.rglob("*.py"))}
LINES = {name_of(p): len(p.read_text().splitlines()) for p in PACKAGE.rglob("*.py")}
MODULES = sorted(TREES)


def layer_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(module: str) -> set[str]:
    """What a module imports, anywhere in it; of the package, the modules themselves."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}, line {node.lineno}: imports are absolute here"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in TREES else node.module for name in names}
    return found


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))


def decorators_of(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    """The names of decorators that are called: ``wrong`` for ``@pad_batch.wrong(...)``."""
    called = [d.func for d in node.decorator_list if isinstance(d, ast.Call)]
    return {getattr(f, "attr", getattr(f, "id", "")) for f in called}


def explained(node: ast.FunctionDef | ast.ClassDef) -> bool:
    """Whether it has a docstring; a wrong version has its explanation in the decorator."""
    return ast.get_docstring(node) is not None or "wrong" in decorators_of(node)


def public_names(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Public functions and classes of a module, and the public methods of those classes."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for node in tree.body:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node.name, node
            for part in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(part, kinds) and not part.name.startswith("_"):
                    yield f"{node.name}.{part.name}", part


def test_every_module_has_a_layer():
    layers = {layer_of(module) for module in MODULES if module != "course_utils"}
    assert layers <= set(LAYERS)


@pytest.mark.parametrize("module", [m for m in MODULES if m != "course_utils"])
def test_imports_point_one_way(module):
    own = LAYERS.index(layer_of(module))
    for imported in imports_of(module):
        if imported.partition(".")[0] != "course_utils":
            continue
        assert imported != "course_utils", f"{module} imports the whole package"
        assert LAYERS.index(layer_of(imported)) <= own, f"{module} imports {imported}"


def names_in(module: str) -> list[str]:
    """A module's own name, and its public classes."""
    classes = [name for name, node in public_names(TREES[module]) if isinstance(node, ast.ClassDef)]
    return [module.rpartition(".")[2], *classes]


@pytest.mark.parametrize("package", ["pictures", "explorers"])
def test_no_module_or_class_shares_its_name_with_another(package: str):
    everywhere = [name for module in MODULES for name in names_in(module)]
    own = [module for module in MODULES if f"{module}.".startswith(f"course_utils.{package}.")]
    assert len(own) > 5
    for module in own:
        for name in names_in(module):
            assert everywhere.count(name) == 1, f"{module}: there is another {name}"


def test_no_module_imports_itself_in_a_circle():
    TopologicalSorter({m: imports_of(m) & set(TREES) for m in MODULES}).prepare()


def test_the_lowest_layers_import_torch_alone_and_compute_draws_nothing():
    for module in ("course_utils.checks", "course_utils.sequences"):
        outside = {name.partition(".")[0] for name in imports_of(module)}
        assert outside - set(sys.stdlib_module_names) - {"course_utils"} == {"torch"}
    drawing = {"matplotlib", "drawsvg", "ipywidgets", "IPython", "anywidget"}
    for module in MODULES:
        if module != "course_utils" and layer_of(module) in COMPUTE:
            assert not {name.partition(".")[0] for name in imports_of(module)} & drawing


def test_importing_the_package_is_light():
    program = f"import sys, course_utils; print([m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_diagrams_come_without_matplotlib_and_plots_bring_it():
    program = (
        "import sys; from course_utils.pictures import draw_batch; "
        "print('matplotlib' in sys.modules); "
        "from course_utils.pictures import plot_bars; print('matplotlib' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "True"]


def test_what_the_package_exports_is_sorted_and_there():
    assert course_utils.__all__ == sorted(course_utils.__all__)
    assert all(hasattr(course_utils, name) for name in course_utils.__all__)


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_are_short(module):
    is_topic = module.startswith("course_utils.topics.")
    assert LINES[module] <= (MOST_LINES_OF_A_TOPIC if is_topic else MOST_LINES)
    for function in functions_of(TREES[module]):
        first = function.body[0]
        documented = ast.get_docstring(function) is not None
        docstring = first.end_lineno - first.lineno + 1 if documented else 0
        lines = function.end_lineno - function.lineno + 1 - docstring
        assert lines <= MOST_FUNCTION_LINES, f"{function.name} has {lines} lines of code"


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_documented_and_annotated(module):
    assert ast.get_docstring(TREES[module]), "the module has no docstring"
    names = list(public_names(TREES[module]))
    methods = {node.name for name, node in names if "." in name and explained(node)}
    for name, node in names:
        inherits = "." in name and node.name in methods
        assert explained(node) or inherits, f"{name} has no docstring"
        # A solution has its notebook's signature, annotations and all: another test compares.
        if isinstance(node, ast.ClassDef) or "solution" in decorators_of(node):
            continue
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        every += [a for a in (node.args.vararg, node.args.kwarg) if a]
        bare = [a.arg for a in every if a.annotation is None and a.arg not in ("self", "cls")]
        assert not bare, f"{name}: no annotation for {', '.join(bare)}"
        assert node.returns is not None, f"{name}: no annotation for the result"


def test_an_installed_package_has_all_its_files(tmp_path: Path):
    """What a wheel is made of: no file that the package reads is left at home."""
    root = PACKAGE.parent
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(
        PACKAGE, tmp_path / "course_utils", ignore=shutil.ignore_patterns("__pycache__")
    )
    command = [sys.executable, "-c", "import setuptools; setuptools.setup()"]
    subprocess.run(
        [*command, "--quiet", "build_py", "--build-lib", "built"], cwd=tmp_path, check=True
    )

    def files(folder: Path) -> set[str]:
        found = folder.rglob("*.*")
        return {str(p.relative_to(folder)) for p in found if "__pycache__" not in p.parts}

    built = files(tmp_path / "built" / "course_utils")
    assert built == files(PACKAGE)
    assert "explorers/controls.js" in built
