// Jupyter Book 2 finds myst.yml, which names this file. It would build nothing, and report success.
console.error("This book needs Jupyter Book 1: run `make book`, or first pip install 'jupyter-book<2'.");
process.exit(1);
