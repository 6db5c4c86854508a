"""The same jobs on many machines: one process drives, Ray's nodes measure.

    orders    what nodes are told, and what they answer
    code      functions of a user's own, sent to nodes
    node      what runs on a node: it looks round, and measures a job
    joined    Ray: joining a cluster, its nodes, tasks and their resources
    driver    drains the plan: each job once, requirements first, records into the driver's store
    ready     which job goes next
    asking    what a test waits with: it asks the driver for jobs, and measures none itself
    machines  what the line of progress tells of the nodes

Jobs go out and records come back through Ray, so nodes need no shared disk. Only `joined` and
`code` know Ray, and import it when a run asks for it. For all others a cluster is what `driver.
Cluster` says, which tests and simulations stand in for.
"""
