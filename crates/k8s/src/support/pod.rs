//! Fields of pods that do not act.

use super::{Exception, Support, refused, refused_unless, stored, stored_unless};

/// Said of volumes that need a driver.
pub const NO_DRIVER: &str = "no driver for this kind of volume is provided; use a PersistentVolumeClaim, emptyDir or hostPath";

/// Of the `spec` of a pod.
pub const SPEC: &[Exception] = &[
    refused("ephemeralContainers", "containers cannot be added to a running pod"),
    refused_unless("hostUsers", &["true"], "pods share the user namespace of the host"),
    refused("resourceClaims", "there are no devices to claim"),
    refused("runtimeClassName", "there is one runtime and no class of it"),
    refused("schedulingGroup", "pods are placed one by one"),
    refused("hostnameOverride", "the name of the host follows from `hostname`"),
    refused_unless("os.name", &["\"linux\""], "the node runs Linux"),
    stored("priorityClassName", "one node runs every pod that fits; no pod drives out another"),
    stored_unless("preemptionPolicy", &["\"PreemptLowerPriority\""], "no pod drives out another"),
    stored("topologySpreadConstraints", "there is one node; nothing can be spread"),
    stored("affinity.podAffinity", "there is one node; all pods are near"),
    stored("affinity.podAntiAffinity", "there is one node; pods cannot be kept apart"),
    stored("affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution", "there is one node; there is nothing to prefer"),
    refused("volumes[].awsElasticBlockStore", NO_DRIVER),
    refused("volumes[].azureDisk", NO_DRIVER),
    refused("volumes[].azureFile", NO_DRIVER),
    refused("volumes[].cephfs", NO_DRIVER),
    refused("volumes[].cinder", NO_DRIVER),
    refused("volumes[].csi", NO_DRIVER),
    refused("volumes[].fc", NO_DRIVER),
    refused("volumes[].flexVolume", NO_DRIVER),
    refused("volumes[].flocker", NO_DRIVER),
    refused("volumes[].gcePersistentDisk", NO_DRIVER),
    refused("volumes[].gitRepo", NO_DRIVER),
    refused("volumes[].glusterfs", NO_DRIVER),
    refused("volumes[].iscsi", NO_DRIVER),
    refused("volumes[].nfs", NO_DRIVER),
    refused("volumes[].photonPersistentDisk", NO_DRIVER),
    refused("volumes[].portworxVolume", NO_DRIVER),
    refused("volumes[].quobyte", NO_DRIVER),
    refused("volumes[].rbd", NO_DRIVER),
    refused("volumes[].scaleIO", NO_DRIVER),
    refused("volumes[].storageos", NO_DRIVER),
    refused("volumes[].vsphereVolume", NO_DRIVER),
    refused("volumes[].image", "images are not mounted as volumes"),
    refused("volumes[].ephemeral", "claims are not made for a pod; name one that exists"),
    refused("volumes[].projected.sources[].clusterTrustBundle", "there are no trust bundles; use a ConfigMap"),
    refused("volumes[].projected.sources[].podCertificate", "no certificates are issued to pods"),
    refused("securityContext.windowsOptions", "the node runs Linux"),
    stored("securityContext.seLinuxOptions", "SELinux labels are not set"),
    stored("securityContext.seLinuxChangePolicy", "SELinux labels are not set"),
    stored_unless("securityContext.appArmorProfile.type", &["\"Unconfined\""], "AppArmor profiles are not applied"),
    refused("securityContext.seccompProfile.localhostProfile", "profiles of the host are not loaded; `RuntimeDefault` is applied"),
    refused("containers[].resources.claims", "there are no devices to claim"),
    refused("containers[].volumeDevices", "block volumes are not provided"),
    refused("containers[].restartPolicyRules", "a container restarts by `restartPolicy`"),
    stored("containers[].resizePolicy", "resources are set when a container starts"),
    refused("containers[].securityContext.windowsOptions", "the node runs Linux"),
    stored("containers[].securityContext.seLinuxOptions", "SELinux labels are not set"),
    stored_unless("containers[].securityContext.appArmorProfile.type", &["\"Unconfined\""], "AppArmor profiles are not applied"),
    refused(
        "containers[].securityContext.seccompProfile.localhostProfile",
        "profiles of the host are not loaded; `RuntimeDefault` is applied",
    ),
    refused_unless("containers[].securityContext.procMount", &["\"Default\""], "`/proc` is always masked"),
    refused_unless("containers[].volumeMounts[].recursiveReadOnly", &["\"Disabled\""], "mounts are not made read-only in depth"),
    refused("containers[].env[].valueFrom.fileKeyRef", "variables are not read from files of a volume"),
    refused("initContainers[].resources.claims", "there are no devices to claim"),
    refused("initContainers[].volumeDevices", "block volumes are not provided"),
    refused("initContainers[].restartPolicyRules", "a container restarts by `restartPolicy`"),
    stored("initContainers[].resizePolicy", "resources are set when a container starts"),
    refused("initContainers[].securityContext.windowsOptions", "the node runs Linux"),
    stored("initContainers[].securityContext.seLinuxOptions", "SELinux labels are not set"),
    stored_unless("initContainers[].securityContext.appArmorProfile.type", &["\"Unconfined\""], "AppArmor profiles are not applied"),
    refused(
        "initContainers[].securityContext.seccompProfile.localhostProfile",
        "profiles of the host are not loaded; `RuntimeDefault` is applied",
    ),
    refused_unless("initContainers[].securityContext.procMount", &["\"Default\""], "`/proc` is always masked"),
    refused_unless("initContainers[].volumeMounts[].recursiveReadOnly", &["\"Disabled\""], "mounts are not made read-only in depth"),
    refused("initContainers[].env[].valueFrom.fileKeyRef", "variables are not read from files of a volume"),
    stored_unless("securityContext.supplementalGroupsPolicy", &["\"Merge\""], "groups of the image are merged with those named"),
];

/// Of Pods.
pub const POD: &[Support] = &[Support { below: "spec", fields: SPEC }];
/// Of kinds with a template of pods.
pub const TEMPLATE: &[Support] = &[Support { below: "spec.template.spec", fields: SPEC }];
