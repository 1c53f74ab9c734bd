# Inside the machine, on a disk that outlives it. Arguments: prepare, write or look; the round; the program; a base
# image; a folder outside for what was acknowledged.
set -eu
part=$1 round=$2 wharf=$3 base=$4 told=$5/cut-$2
export WHARF_HOME=/disk/home KUBECONFIG=/disk/home/engine/kubeconfig
project=/disk/project

# documents NAME: many ConfigMaps, NAME with @ for the number.
documents() {
    awk -v name="$1" 'BEGIN { for (i = 1; i <= 3000; i++) { n = name; sub(/@/, i, n);
        printf "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: %s, namespace: cuts}, data: {number: \"%d\", text: \"some words that take room\"}}\n", n, i } }'
}

case $part in
prepare)
    mkdir -p $project/www $project/k8s
    echo hello >$project/www/index.html
    cat >$project/wharf.yaml <<'TEXT'
project: tiny
images:
  web: { context: . }
manifests: [k8s/]
smoke:
  - { get: web/, status: 200 }
TEXT
    printf 'FROM busybox:stable\nCOPY www /www\nUSER 10001:10001\nENTRYPOINT ["/bin/httpd", "-f", "-p", "8080", "-h", "/www"]\n' >$project/Dockerfile
    cat >$project/k8s/web.yaml <<'TEXT'
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { type: NodePort, selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080, nodePort: 32080 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: { runAsNonRoot: true }
      containers:
        - name: web
          image: web
          resources: { limits: { cpu: 500m, memory: 32Mi } }
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
TEXT
    "$wharf" image load "$base"
    "$wharf" up $project
    kubectl create namespace cuts
    "$wharf" engine stop
    ;;
write)
    "$wharf" engine start >&2
    exec >>"$told"
    documents "c-$round-@" | kubectl create --validate=false -f - &
    { kubectl create configmap "counter-$round" -n cuts --from-literal=number=0 && documents "counter-$round" | kubectl replace --validate=false -f -; } &
    # Deletes what an earlier round has made.
    [ "$round" -lt 2 ] || documents "c-$((round - 1))-@" | kubectl delete --ignore-not-found --wait=false -f - &
    if [ $((round % 2)) = 0 ]; then
        for i in 1 2 3 4 5; do echo "hello $round $i" >$project/www/index.html; "$wharf" up $project >&2; done &
    fi
    wait
    sleep 600
    ;;
look)
    "$wharf" engine start >&2
    kubectl get configmaps -n cuts -o 'jsonpath={range .items[*]}object {.metadata.name} {.data.number}{"\n"}{end}' | grep -v kube-root-ca
    # A new release, so that it has something to do.
    echo "whole $round" >$project/www/index.html
    "$wharf" up $project >&2
    [ "$(curl -s -m 5 http://127.0.0.1:32080/)" = "whole $round" ]
    "$wharf" image fsck >&2
    "$wharf" engine stop >&2
    ;;
esac
