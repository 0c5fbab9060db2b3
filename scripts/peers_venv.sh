# Sourced by scripts that compare with the reference libraries: leaves an environment that has them in $venv.
# PEERS_VENV=DIR keeps it for the next time; otherwise it goes when the script ends.
venv=${PEERS_VENV:-$(mktemp -d)/venv}
[ -n "${PEERS_VENV:-}" ] || trap 'rm -rf "$(dirname "$venv")"' EXIT
if [ ! -x "$venv/bin/python" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch==2.11.0 transformers==5.17.0 trl==1.16.0 peft==0.21.2 accelerate==1.15.0 datasets==5.2.0 safetensors numpy
fi
